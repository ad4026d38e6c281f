"""The readers of folders and zips: order, usage, class and grey values, and one line for every bad file or image."""

import io
import logging
import re
import stat
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from small_set import CLASSES, FACES, SIZE, face_files, one_of_each_class, png, read, refusal, write_folder, write_zip

from fercv.data.reading import read_dataset
from fercv.data.sources import IMAGE_SUFFIXES, USAGES

# Order, usage and class of folders and zips


def test_order_is_usage_then_class_then_path_with_numbers_as_numbers(tmp_path):
    files = face_files() | {"happy/7.png": png(FACES[0].pixels), "test/sad/x.png": png(FACES[1].pixels)}
    samples = read(write_zip(tmp_path / "set.zip", files)).samples
    assert list(samples["source"]) == [
        "happy/7.png",
        "train/angry/Training_4.png",
        "train/happy/Training_2.png",
        "train/happy/Training_9.png",
        "train/happy/Training_10.png",
        "train/sad/Training_1.png",
        "test/angry/PublicTest_3.png",
        "test/happy/PublicTest_6.png",
        "test/sad/PrivateTest_5.png",
        "test/sad/x.png",
    ]
    assert list(dict.fromkeys(samples["usage"])) == ["", *USAGES]


def test_order_of_zip_entries_plays_no_role(tmp_path):
    forward = read(write_zip(tmp_path / "forward.zip", face_files()))
    backward = read(write_zip(tmp_path / "backward.zip", dict(reversed(face_files().items()))))
    assert forward.samples.equals(backward.samples)
    np.testing.assert_array_equal(forward.images, backward.images)


@pytest.mark.parametrize(
    "name, usage",
    [
        ("train/happy/1.png", "Training"),
        ("train/happy/PublicTest_1.png", "Training"),
        ("test/happy/1.png", "Test"),
        ("test/happy/PublicTest_1.png", "PublicTest"),
        ("test/happy/PrivateTest_1.png", "PrivateTest"),
        ("test/happy/Training_1.png", "Test"),
        ("happy/Training_1.png", "Training"),
        ("happy/PrivateTest_1.png", "PrivateTest"),
        ("happy/Training.png", ""),
        ("happy/1.png", ""),
        ("Train/HAPPY/1.PNG", "Training"),
        ("test/1/1.png", "Test"),
        ("happy/by_ann/1.png", ""),
    ],
)
def test_usage_and_class_follow_from_the_path(tmp_path, name, usage):
    folder = write_folder(tmp_path / "faces", one_of_each_class(**{name: png(FACES[0].pixels)}))
    samples = read(folder).samples.set_index("source")
    assert samples.loc[name, "usage"] == usage
    assert CLASSES[samples.loc[name, "label"]] == "happy"


def test_a_class_name_that_is_a_number_wins_over_label_numbers(tmp_path):
    files = {"1/a.png": png(FACES[0].pixels), "2/a.png": png(FACES[1].pixels)}
    samples = read_dataset(write_folder(tmp_path / "digits", files), ["1", "2"], SIZE).samples
    assert dict(zip(samples["source"], samples["label"], strict=True)) == {"1/a.png": 0, "2/a.png": 1}


@pytest.mark.parametrize("wrapping", ["fer2013/", "a/b/"])
def test_wrapping_folders_change_only_the_source(tmp_path, wrapping):
    plain = read(write_zip(tmp_path / "plain.zip", face_files()))
    wrapped = read(write_zip(tmp_path / "w.zip", {wrapping + name: data for name, data in face_files().items()}))
    np.testing.assert_array_equal(wrapped.images, plain.images)
    assert list(wrapped.samples["usage"]) == list(plain.samples["usage"])
    assert list(wrapped.samples["source"]) == [wrapping + name for name in plain.samples["source"]]


def test_files_of_macos_and_hidden_files_are_left_out_in_silence(tmp_path, caplog):
    extra = {
        "__MACOSX/train/happy/1.png": b"x",
        "train/happy/.hidden.png": b"x",
        ".thumbnails/happy/1.png": b"x",
        "train/.cache/1.png": b"x",
    }
    assert len(read(write_zip(tmp_path / "set.zip", face_files() | extra)).images) == 8
    del extra["__MACOSX/train/happy/1.png"]
    assert len(read(write_folder(tmp_path / "faces", face_files() | extra)).images) == 8
    assert not caplog.records


def test_backslashes_of_windows_separate_folders(tmp_path):
    files = {name.replace("/", "\\"): data for name, data in face_files().items()}
    path = write_zip(tmp_path / "windows.zip", files)
    assert list(read(path).samples["source"]) == list(
        read(write_zip(tmp_path / "plain.zip", face_files())).samples["source"]
    )


def test_files_that_are_no_images_are_counted_in_one_warning(tmp_path, caplog):
    extra = {"train/happy/notes.txt": b"x", "train/happy/Thumbs.db": b"x", "README.md": b"x"}
    for path in (
        write_folder(tmp_path / "faces", face_files() | extra),
        write_zip(tmp_path / "set.zip", face_files() | extra),
    ):
        caplog.clear()
        assert len(read(path).images) == 8
        (record,) = caplog.records
        assert record.levelno == logging.WARNING and record.name == "fercv"
        assert ": 3," in record.getMessage() and str(path) in record.getMessage()


def test_names_of_any_script_are_taken(tmp_path):
    files = {f"train/{name}/脸部 {number}.png": png(FACES[number].pixels) for number, name in enumerate(CLASSES)}
    folder = write_folder(tmp_path / "人脸", files)
    names = list(files)
    assert list(read(folder).samples["source"]) == names
    with zipfile.ZipFile(tmp_path / "人脸.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert list(read(tmp_path / "人脸.zip").samples["source"]) == names
    assert (read(tmp_path / "人脸.zip").images == read(folder).images).all()


# Conversion


def decoded(tmp_path, image, size=SIZE, **keywords):
    """What an image (or a file's bytes) becomes, read from a class folder."""
    data = image if isinstance(image, bytes) else png(image, **keywords)
    write_folder(tmp_path / "faces", one_of_each_class(**{"happy/odd.png": data}))
    dataset = read(tmp_path / "faces", size)
    return dataset.images[list(dataset.samples["source"]).index("happy/odd.png")]


def test_colour_becomes_luma_and_one_line_counts_the_converted(tmp_path, caplog):
    caplog.set_level("INFO", "fercv")
    colour = Image.new("RGB", (3, 4), (255, 0, 0))
    larger = Image.new("L", (6, 8), 90)
    files = one_of_each_class(**{"sad/c.png": png(colour), "sad/d.png": png(colour), "happy/l.png": png(larger)})
    images, samples = read(write_folder(tmp_path / "faces", files))
    assert (images[list(samples["source"]).index("sad/c.png")] == 76).all()  # 0.299 x 255
    assert (images[list(samples["source"]).index("happy/l.png")] == 90).all()
    (record,) = caplog.records
    assert "2 of 6 images were converted" in record.getMessage() and "1 resized to 3x4" in record.getMessage()


def test_images_that_fit_are_taken_as_they_are_without_a_word(tmp_path, caplog):
    np.testing.assert_array_equal(decoded(tmp_path, FACES[0].pixels), FACES[0].pixels)
    assert not caplog.records


def test_transparency_lies_on_white(tmp_path):
    image = Image.new("RGBA", (3, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (0, 0, 0, 255))
    grey = decoded(tmp_path, image)
    assert grey[0, 0] == 0 and (grey.ravel()[1:] == 255).all()


def test_a_palette_with_transparency_lies_on_white(tmp_path):
    image = Image.new("P", (3, 4), 1)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.putpixel((0, 0), 0)
    assert (decoded(tmp_path, image, transparency=0) == 255).all()


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(SIZE) * 20
    np.testing.assert_array_equal(decoded(tmp_path, values * 257), values)
    np.testing.assert_array_equal(decoded(tmp_path, values * 256), values)


def test_eight_bits_stored_in_sixteen_stay_what_they_are(tmp_path):
    values = np.arange(12, dtype=np.uint16).reshape(SIZE) * 20
    np.testing.assert_array_equal(decoded(tmp_path, values), values)


def test_the_camera_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    upright = decoded(tmp_path, np.rot90(FACES[0].pixels).copy(), exif=exif)
    np.testing.assert_array_equal(upright, FACES[0].pixels)


def test_an_animation_gives_its_first_frame(tmp_path):
    buffer = io.BytesIO()
    frames = [Image.new("L", (3, 4), grey) for grey in (10, 200)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert (decoded(tmp_path, buffer.getvalue()) == 10).all()


FORMAT_OF = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "MPO", ".bmp": "BMP", ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WEBP", ".pgm": "PPM",
}  # fmt: skip


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_kind_of_image_is_read_whatever_its_name_says(tmp_path, suffix):
    buffer = io.BytesIO()
    image = Image.new("L", (3, 4), 90)
    more = {"save_all": True, "append_images": [image]} if FORMAT_OF[suffix] == "MPO" else {}
    image.save(buffer, FORMAT_OF[suffix], **more)
    data = buffer.getvalue()
    assert (Image.open(buffer).format == FORMAT_OF[suffix]) and abs(decoded(tmp_path, data).astype(int) - 90).max() < 3
    files = one_of_each_class(**{f"happy/odd{suffix}": data})
    assert len(read(write_zip(tmp_path / "set.zip", files)).images) == 4


def test_cmyk_and_bilevel_become_grey(tmp_path):
    buffer = io.BytesIO()
    Image.new("CMYK", (3, 4), (0, 0, 0, 255)).save(buffer, "JPEG")
    assert decoded(tmp_path, buffer.getvalue()).max() < 5
    assert (decoded(tmp_path, Image.new("1", (3, 4), 1)) == 255).all()


def test_height_comes_before_width(tmp_path):
    assert read(write_folder(tmp_path / "faces", face_files()), (5, 7)).images.shape == (8, 5, 7)


# Refusals


def test_an_unknown_class_is_refused_with_the_likeliest_and_the_list(tmp_path):
    message = refusal(write_folder(tmp_path / "faces", one_of_each_class(**{"hapy/1.png": png(FACES[0].pixels)})))
    assert "'hapy'" in message and "did you mean 'happy'?" in message and "angry, happy, sad" in message


def test_an_unknown_class_that_stands_alone_is_not_taken_for_a_wrapping_folder(tmp_path):
    assert "'hapy'" in refusal(write_folder(tmp_path / "faces", {"hapy/1.png": png(FACES[0].pixels)}))


def test_of_several_mistakes_the_first_by_path_is_reported(tmp_path):
    files = one_of_each_class(**{f"{name}/1.png": png(FACES[0].pixels) for name in ("worse", "bad", "wrong")})
    for order in (files, dict(reversed(files.items()))):
        assert "'bad'" in refusal(write_zip(tmp_path / "set.zip", order))


@pytest.mark.parametrize("number", ["3", "-1", "01"])
def test_a_folder_number_that_is_no_label_is_refused(tmp_path, number):
    files = one_of_each_class(**{f"{number}/1.png": png(FACES[0].pixels)})
    assert "is no class" in refusal(write_folder(tmp_path / "faces", files))


def test_a_class_without_images_is_refused(tmp_path):
    files = {"angry/1.png": png(FACES[0].pixels), "sad/1.png": png(FACES[0].pixels), "happy/notes.txt": b"x"}
    assert "no image of the class 'happy'" in refusal(write_folder(tmp_path / "faces", files))


@pytest.mark.parametrize("wrapping", ["", "fer2013/"])
@pytest.mark.parametrize("name", ["1.png", "train/1.png"])
def test_an_image_outside_the_class_folders_is_refused(tmp_path, wrapping, name):
    files = {wrapping + inner: data for inner, data in (face_files() | {name: png(FACES[0].pixels)}).items()}
    for order in (files, dict(reversed(files.items()))):
        message = refusal(write_zip(tmp_path / "set.zip", order))
        assert f"'{wrapping}{name}' is in no class folder" in message


def test_no_image_at_all_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no image found" in refusal(tmp_path / "empty")
    assert "no image found" in refusal(write_zip(tmp_path / "set.zip", {"happy/notes.txt": b"x"}))


def bomb(side):
    """A PNG that declares side x side pixels in a few bytes."""
    data = bytearray(png(FACES[0].pixels))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "data, found",
    [
        (b"", "no image that can be read"),
        (b"not an image", "no image that can be read"),
        (png(FACES[0].pixels)[:-30], "damaged"),
        (png(FACES[0].pixels)[:20], "no image|damaged"),
        (bomb(10_000), "too many pixels"),
        (bomb(20_000), "too many pixels"),
    ],
    ids=["zero bytes", "text", "truncated", "only a header", "100 megapixels", "400 megapixels"],
)
def test_a_broken_image_is_refused_by_name(tmp_path, data, found):
    files = one_of_each_class(**{"sad/broken.png": data})
    for path in (write_folder(tmp_path / "faces", files), write_zip(tmp_path / "set.zip", files)):
        message = refusal(path)
        assert "'sad/broken.png'" in message and re.search(found, message)


def test_all_broken_images_are_named_at_once(tmp_path):
    broken = {f"sad/{number}.png": b"not an image" for number in range(3)}
    message = refusal(write_folder(tmp_path / "few", one_of_each_class(**broken)))
    assert "'sad/0.png' is no image" in message
    assert message.endswith("; 2 more cannot be read: 'sad/1.png', 'sad/2.png'")
    broken = {f"sad/{number}.png": b"not an image" for number in range(30)}
    message = refusal(write_folder(tmp_path / "many", one_of_each_class(**broken)))
    assert "; 29 more cannot be read: 'sad/1.png'" in message and message.endswith("'sad/20.png', ...")


def test_no_other_format_is_tried_under_the_name_of_an_image(tmp_path):
    """Pillow would have Ghostscript run what a PostScript file says."""
    buffer = io.BytesIO()
    Image.new("L", (3, 4), 90).save(buffer, "EPS")
    assert Image.open(buffer).format == "EPS"
    files = one_of_each_class(**{"sad/program.png": buffer.getvalue()})
    for path in (write_folder(tmp_path / "faces", files), write_zip(tmp_path / "set.zip", files)):
        assert "'sad/program.png' is no image that can be read" in refusal(path)


def test_fractions_are_refused(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.full(SIZE, 0.5, np.float32)).save(buffer, "TIFF")
    assert "fractions" in refusal(
        write_folder(tmp_path / "faces", one_of_each_class(**{"sad/f.tif": buffer.getvalue()}))
    )


@pytest.mark.parametrize(
    "name", ["/happy/1.png", "../happy/1.png", "happy/../../1.png", "..\\happy\\1.png", "../x.txt"]
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    assert "leads out" in refusal(write_zip(tmp_path / "set.zip", face_files() | {name: png(FACES[0].pixels)}))


def test_links_in_a_zip_are_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("train/happy/passwords.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "'train/happy/passwords.png' is a link" in refusal(path)


def test_encrypted_entries_are_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", {"happy/1.png": png(FACES[0].pixels)})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "without a password" in refusal(path)


def test_an_entry_twice_in_a_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(FACES[0].name, png(FACES[1].pixels))
    assert "twice" in refusal(path)


def test_the_checksum_of_a_zip_is_verified(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 1
    path.write_bytes(data)
    message = refusal(path)
    assert "CRC" in message and FACES[0].name in message


def test_a_cut_off_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "set.zip", face_files())
    path.write_bytes(path.read_bytes()[:-40])
    assert "damaged" in refusal(path)


def test_an_entry_of_enormous_size_is_refused_unread(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in one_of_each_class().items():
            archive.writestr(name, data)
        archive.writestr("sad/zeros.png", bytes(100_000_001), compresslevel=1)
    assert "100,000,001 bytes" in refusal(path)


def test_an_entry_that_declares_less_than_it_holds_is_not_unpacked_beyond_that(tmp_path):
    path, size = tmp_path / "set.zip", 200_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in one_of_each_class().items():
            archive.writestr(name, data)
        archive.writestr("sad/zeros.png", bytes(size), compresslevel=1)
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "'sad/zeros.png' is damaged" in message
    assert peak < 20_000_000
