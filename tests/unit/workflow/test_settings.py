import copy
import datetime
import re

import pytest
import yaml

from fercv.data import tables
from fercv.nets import architectures
from fercv.workflow import settings
from fercv.workflow.errors import InputError
from fercv.workflow.messages import origin
from fercv.workflow.settings import (
    SCHEMA,
    check_syntax,
    complete_config,
    fold_names,
    leakage_pairs,
    merge,
    model_layers,
)


def changed(config, dotted, value):
    config = copy.deepcopy(config)
    *path, last = dotted.split("/")
    node = config
    for key in path:
        node = node[key]
    node[last] = value
    return config


def refusal(config):
    with pytest.raises(InputError) as caught:
        complete_config(config, files=[])
    (line,) = str(caught.value).splitlines()
    return line


def test_the_demo_is_complete_and_scaled(base_config):
    config = complete_config(base_config, files=[])
    assert config["data"]["images"] == base_config["scales"]["demo"]["images"]
    assert config["definitions"]["cnn"]["settings"]["width"] == 0.125
    assert config["definitions"]["cnn"]["settings"]["batch_normalization"] is True
    assert config["definitions"]["fc"]["augmentation"]["rotation"] == 0
    assert config["filters"]["count"] == 16


def test_full_scale_takes_the_definitions_as_they_stand(base_config):
    overlay = {"experiment": "mine", "scale": "full", "data": {"source": "faces.csv"}}
    config = complete_config(merge(base_config, overlay), files=[])
    assert config["data"]["images"] is None
    assert config["filters"]["count"] == base_config["filters"]["count"]
    for name in ("cnn", "fc", "fc_dropout"):
        assert config["definitions"][name]["settings"]["width"] == 1.0
        assert config["definitions"][name]["epochs"] == base_config["definitions"][name]["epochs"]


def of_own_file(base_config, **settings):
    """The complete configuration for a file of the user's own with the scale `small`."""
    own = {"experiment": "mine", "scale": "small", "data": {"source": "faces.csv"}} | settings
    return complete_config(merge(base_config, own), files=[], own=own)


def test_what_an_own_file_says_wins_over_a_scale_of_config_yaml(base_config):
    small = of_own_file(base_config)
    own = {"definitions": {"fc": {"epochs": 3, "settings": {"dropout": 0.1}}}, "filters": {"count": 40}}
    config = of_own_file(base_config, **own, saliency={"samples": 7})
    fc = config["definitions"]["fc"]
    assert fc == small["definitions"]["fc"] | {"epochs": 3, "settings": {"width": 0.25, "dropout": 0.1}}
    assert config["definitions"]["fc_dropout"] == small["definitions"]["fc_dropout"]
    assert (small["filters"]["count"], config["filters"]["count"]) == (16, 40)
    demo = {"saliency": {"samples": 7}}
    scaled = complete_config(merge(base_config, demo), [], demo)["saliency"]
    assert scaled == complete_config(base_config, [])["saliency"] | {"samples": 7}


def test_an_own_scale_wins_over_own_definitions(base_config):
    own = {"definitions": {"fc": {"epochs": 3, "batch_size": 8}}, "filters": {"count": 40}, "saliency": {"steps": 9}}
    scales = {"small": {"definitions": {"fc": {"epochs": 5}}, "filters": 20, "saliency": {"steps": 6}}}
    config = of_own_file(base_config, **own, scales=scales)
    assert [config["definitions"]["fc"][key] for key in ("epochs", "batch_size")] == [5, 8]
    assert config["filters"]["count"] == 20
    assert config["saliency"]["steps"] == 6


@pytest.mark.parametrize(
    ("own", "place"),
    [
        ({"schedule": {"warmup": 2}}, "definitions.fc.schedule.warmup is 2.0"),
        ({}, "scales.small.definitions.fc.schedule.warmup is 1.0"),
    ],
)
def test_a_wrong_definition_is_told_where_it_stands(base_config, own, place):
    with pytest.raises(InputError) as caught:
        of_own_file(base_config, definitions={"fc": {"epochs": 1} | own})
    assert str(caught.value).endswith(f"{place}, but the model trains for 1 epoch; set a smaller warmup or more epochs")


def test_a_definition_of_one_key_is_filled_with_defaults(base_config):
    config = changed(base_config, "definitions/tiny", {"architecture": "fc"})
    tiny = complete_config(config, files=[])["definitions"]["tiny"]
    assert (tiny["optimizer"], tiny["batch_size"], tiny["early_stopping"]["enabled"]) == ("adam", 128, False)
    assert tiny["settings"] == {"width": 1.0, "dropout": 0.0}


def test_whole_numbers_stand_for_floats_where_the_schema_wants_numbers(base_config):
    config = changed(
        base_config, "definitions/fc", {"architecture": "fc", "learning_rate": 1, "settings": {"width": 2}}
    )
    fc = complete_config(
        config | {"scale": "full", "experiment": "mine", "data": base_config["data"] | {"source": "x"}}, []
    )
    fc = fc["definitions"]["fc"]
    assert [repr(fc["learning_rate"]), repr(fc["weight_decay"]), repr(fc["settings"]["width"])] == ["1.0", "0.0", "2.0"]
    assert repr(fc["epochs"]) == "20"


def test_the_order_of_keys_in_the_file_does_not_matter(base_config):
    reordered = changed(base_config, "definitions/cnn", dict(reversed(base_config["definitions"]["cnn"].items())))
    assert repr(complete_config(reordered, [])["definitions"]) == repr(complete_config(base_config, [])["definitions"])


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("experimnt", 1, ["experimnt is unknown", "did you mean 'experiment'"]),
        ("definitions/cnn/epohcs", 3, ["definitions.cnn.epohcs is unknown", "did you mean 'epochs'"]),
        ("definitions/cnn/augmentation/rotate", 3, ["augmentation.rotate", "did you mean 'rotation'"]),
        ("definitions/cnn/settings/widht", 1.0, ["definitions.cnn.settings.widht", "did you mean 'width'"]),
        ("scales/demo/definitions/cnn/epoch", 1, ["scales.demo.definitions.cnn.epoch", "did you mean 'epochs'"]),
        ("scales/demo/definitions/cmn", {}, ["'cmn'", "did you mean 'cnn'"]),
        ("seed", -1, ["seed is -1", "from 0 to 4294967295"]),
        ("seed", 1.0, ["seed is 1.0", "whole number"]),
        ("seed", True, ["seed is true", "whole number"]),
        ("folds/number", 1, ["folds.number is 1", "from 2 to 1000"]),
        ("folds/group_duplicates", "yes please", ["folds.group_duplicates is 'yes please'", "true or false"]),
        ("models", [], ["models is []"]),
        ("models", ["cnn", "cnn"], ["models is ['cnn', 'cnn']"]),
        ("models", ["cmn"], ["'cmn'", "did you mean 'cnn'"]),
        ("scale", "dmeo", ["'dmeo'", "did you mean 'demo'"]),
        ("data", None, ["data is null", "a block of keys"]),
        ("data/classes", "angry", ["data.classes is 'angry'", "list of the class names"]),
        ("data/image_size", [48], ["data.image_size is [48]", "height and width"]),
        ("data/image_size", [48, 4], ["data.image_size.1 is 4", "from 8 to 512"]),
        ("data/image_size", [513, 8], ["data.image_size.0 is 513", "from 8 to 512"]),
        ("data/image_size", [24, 24], ["definitions.cnn", "data.image_size is 24, 24", "32 x 32"]),
        ("data/image_size", [48, 64], ["data.image_size is [48, 64]", "square"]),
        ("data/classes", ["calm", "cross"], ["data.classes", "the built-in faces show angry, disgust"]),
        ("data/classes", ["Happy", "happy"], ["data.classes is 'happy'", "differ in more than case"]),
        ("data/classes", ["index", "usage"], ["data.classes is 'index'", "name columns"]),
        ("scales/demo/images", 10, ["scales.demo.images is 10", "fewer images than folds.number, which is 20"]),
        ("feature_maps/image", 5000, ["feature_maps.image is 5000", "at most 1599"]),
        ("feature_maps/layers", ["fc1"], ["feature_maps.layers is 'fc1'", "no height and width"]),
        ("saliency/grad_cam_layer", "bn_b4_c", ["saliency.grad_cam_layer is 'bn_b4_c'", "did you mean 'bn_b4_c"]),
        ("saliency/grad_cam_layer", "fc1", ["saliency.grad_cam_layer is 'fc1'", "no height and width"]),
        ("scales/demo/definitions/cnn/schedule/warmup", 40, ["definitions.cnn.schedule.warmup is 40", "4 epochs"]),
        ("definitions/cnn/learning_rate", float("nan"), ["learning_rate is nan"]),
        ("definitions/cnn/architecture", "vgg", ["'vgg'", "cnn, fc", "architectures.py"]),
        ("definitions/cnn/optimizer", "adma", ["'adma'", "did you mean 'adam'"]),
        ("definitions/cnn/learning_rate", 0, ["learning_rate is 0", "above 0"]),
        ("definitions/cnn/learning_rate", "5e-4", ["learning_rate is '5e-4'", "write 0.0005"]),
        ("scales/demo/definitions/fc/settings/dropout", 1.0, ["dropout is 1.0", "below 1"]),
        ("scales/demo/definitions/fc/settings/width", 0, ["width is 0", "above 0"]),
        ("definitions/cnn/settings/batch_normalization", 1, ["batch_normalization is 1", "true or false"]),
        ("filters/layers", ["conv2_pol"], ["'conv2_pol'", "did you mean 'conv2_pool'"]),
        ("filters/fold", 20, ["filters.fold is 20", "at most 19"]),
        ("layer_checks/fold", 20, ["layer_checks.fold is 20", "at most 19"]),
        ("layer_checks/zoom", 1, ["layer_checks.zoom is 1", "from 0 to 0.9"]),
        ("layer_checks/images", 1, ["layer_checks.images is 1", "from 2 to 100000"]),
        ("saliency/threshold", 10**400, ["saliency.threshold", "expected"]),
        ("seed", 10**400, ["seed", "4294967295"]),
        ("saliency/threshold", 1.5, ["saliency.threshold is 1.5"]),
        ("experiment", "a/../b", ["experiment is 'a/../b'", "letters, digits"]),
        ("experiment", "demo\n", ["experiment is 'demo\\n'", "letters, digits"]),
        ("models", ["cnn\n"], ["models.0 is 'cnn\\n'"]),
        ("definitions/a b", {"architecture": "fc"}, ["definitions.a b is no name", "letters, digits"]),
        ("definitions", {1: {"architecture": "fc"}}, ["definitions.1 is no name", "quote it"]),
        ("data/classes", ["calm", "a\nb"], ["data.classes is 'a\\nb'", "hidden characters"]),
        (
            "data/classes",
            ["calm", "</script><script>"],
            ["data.classes is '</script><script>'", "without any of { } < >"],
        ),
        ("data/classes", ["calm", "\ud800"], ["data.classes is '\\ud800'", "hidden characters"]),
        ("data/classes", ["calm", "{x}"], ["data.classes is '{x}'", "without any of { } < >"]),
        ("data/classes", ["calm", "</script>"], ["data.classes is '</script>'", "without any of { } < >"]),
        ("data/classes", [False, True], ["data.classes.0 is false", 'in quotes, such as "no"']),
        ("folds/group_duplicates", "yes", ["folds.group_duplicates is 'yes'", "write true, without quotes"]),
        ("samples/per_class", 12.0, ["samples.per_class is 12.0", "from 1 to 30, as a whole number"]),
        ("scales/demo/images", 500.5, ["scales.demo.images is 500.5", "as a whole number"]),
        ("experiment", 2024, ["experiment is 2024", 'in quotes, such as "2024"']),
        ("experiment", datetime.date(2024, 1, 31), ["experiment is 2024-01-31", 'in quotes, such as "2024-01-31"']),
        ("experiment", "<demo>", ["experiment is '<demo>'", "letters, digits"]),
        ("filters/?if True", {"count": 3}, ["filters.?if True is an expression of YTE", "write plain settings"]),
        ("seed", "1e5", ["seed is '1e5'", "write 100000, without quotes"]),
        ("seed", "1e-5", ["seed is '1e-5'", "whole number"]),
        ("definitions/cnn/learning_rate", "1e-7", ["write 1.0e-07, without quotes"]),
        ("scales/demo/definitions/cnn/settings/width", "1e-3", ["settings.width is '1e-3'", "write 0.001, without"]),
        ("definitions/Data", {"architecture": "fc"}, ["definitions.Data is unfit as a name", "results/demo/data"]),
        ("definitions/checkpoints", {"architecture": "fc"}, ["definitions.checkpoints is unfit", "rename it"]),
        ("experiment", "fer2013", ["experiment is 'fer2013'", "data.source", "set both"]),
        (
            "factors",
            {"rate": "dropout"},
            ["factors.rate is 'dropout'", "no single setting of cnn", "'settings.dropout'"],
        ),
        ("factors", {"flip": "augmentation"}, ["factors.flip is 'augmentation'", "no single setting of cnn"]),
        ("factors", {"sharp": "precision"}, ["factors.sharp is 'precision'", "'float32' in all models", "add models"]),
        ("factors", {"mean": "epochs"}, ["factors.mean names a column of factors.csv", "rename it"]),
        ("factors", {"a/b": "epochs"}, ["factors"]),
        ("factors", {"rate": 3}, ["factors.rate is 3", "settings.dropout"]),
    ],
)
def test_refused_in_one_line_that_names_key_value_and_mending(base_config, key, value, parts):
    line = refusal(changed(base_config, key, value))
    for part in parts:
        assert part in line


SCHEMA_RULES = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
WRONG_TYPE = {"integer": "many", "number": "many", "string": 7, "boolean": "perhaps", "array": "one", "object": 3}


def rules_of_keys(rule, path=()):
    """Every key of the schema with its rule: definitions at `cnn`, scales at `demo`."""
    if "$ref" in rule:
        rule = SCHEMA_RULES["$defs"][rule["$ref"].rpartition("/")[2]]
    if path:
        yield "/".join(path), rule
    for key, inner in rule.get("properties", {}).items():
        yield from rules_of_keys(inner, (*path, key))
    if isinstance(rule.get("additionalProperties"), dict):
        yield from rules_of_keys(rule["additionalProperties"], (*path, "demo" if path[-1] == "scales" else "cnn"))


def wrong_values(rule):
    """Values of another type, and values just out of bounds; each with what the message must say."""
    kind = rule.get("type", "string")
    yield WRONG_TYPE[kind if isinstance(kind, str) else kind[0]], ""
    if "minimum" in rule:
        yield rule["minimum"] - 1, str(rule["minimum"])
    if "maximum" in rule:
        yield rule["maximum"] + 1, str(rule["maximum"])
    if "exclusiveMinimum" in rule:
        yield rule["exclusiveMinimum"], f"above {rule['exclusiveMinimum']}"
    if "pattern" in rule:
        yield "../a", "letters, digits"
    if "minItems" in rule or "minProperties" in rule:
        yield {} if kind == "object" else [], ""
    if "uniqueItems" in rule:
        yield ["cnn", "cnn"], "each once"
    if "enum" in rule:
        yield "nonsense", rule["enum"][0]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [(key, value, said) for key, rule in rules_of_keys(SCHEMA_RULES) for value, said in wrong_values(rule)],
)
def test_every_key_is_refused_in_another_type_and_out_of_its_bounds(base_config, key, value, said):
    config = copy.deepcopy(base_config)
    node = config
    *path, last = key.split("/")
    for part in path:
        node[part] = node.get(part) or {}
        node = node[part]
    node[last] = value
    line = refusal(config)
    assert key.replace("/", ".") in line
    assert said in line


def scalars(node, path=()):
    """Every number and truth value of a configuration, with its path."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(value, int | float):
            yield "/".join(map(str, (*path, key))), value
        yield from scalars(value, (*path, key))


SHIPPED = list(scalars(yaml.safe_load((SCHEMA.parents[1] / "config.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("key", "value"), SHIPPED, ids=[key for key, _ in SHIPPED])
def test_what_a_message_says_to_write_is_accepted(base_config, key, value):
    """Numbers and truth values in quotes, and numbers with an exponent, which YAML reads as texts."""
    path = [int(part) if part.isdigit() else part for part in key.split("/")]
    for text in {yaml.safe_dump(value).split()[0]} | (set() if isinstance(value, bool) else {f"{value:e}"}):
        # A setting that the scale replaces is not looked at.
        config = copy.deepcopy(base_config) | {"scale": path[1] if path[0] == "scales" else "full"}
        node = config
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = text
        line = refusal(config)
        node[path[-1]] = yaml.safe_load(re.search(r"write (\S+), without quotes", line)[1])
        assert node[path[-1]] == value
        complete_config(config, files=[])


@pytest.mark.parametrize("value", [2024, 7, True, datetime.date(2024, 1, 31)])
def test_a_name_that_yaml_reads_as_something_else_is_accepted_as_the_message_writes_it(base_config, value):
    config = merge(base_config, {"experiment": value, "scale": "full", "data": {"source": "faces.csv"}})
    written = re.search(r"in quotes, such as (\".*\")\)", refusal(config))[1]
    assert complete_config(config | {"experiment": yaml.safe_load(written)}, [])["data"]["source"] == "faces.csv"


def test_an_image_of_feature_maps_that_nobody_asks_for_is_not_looked_for(base_config):
    complete_config(changed(changed(base_config, "feature_maps/layers", []), "feature_maps/image", 5000))


def test_models_whose_folders_would_be_one_on_some_file_systems_are_refused(base_config):
    config = changed(base_config, "definitions/CNN", {"architecture": "fc"})
    assert "models is 'CNN', which differs from cnn in case only" in refusal(config | {"models": ["cnn", "CNN"]})
    assert complete_config(config | {"models": ["CNN"]}, [])["models"] == ["CNN"]


@pytest.mark.parametrize("name", ["a" * 20, "net-" + "ab" * 20])
def test_a_name_that_ends_in_endless_repetition_is_refused(base_config, name):
    config = changed(base_config, f"definitions/{name}", {"architecture": "fc"})
    assert "ends with 20 times the same" in refusal(config | {"models": [name]})


def test_a_setting_of_an_own_architecture_has_the_type_of_its_default(base_config, monkeypatch):
    monkeypatch.setattr(architectures, "settings_of", lambda name: {"filters": 32, "activation": "relu"})
    for value, expected in [({"filters": True}, "a whole number"), ({"activation": 3}, "a text")]:
        config = changed(base_config, "definitions/own", {"architecture": "fc", "settings": value})
        assert f"expected {expected}" in refusal({**config, "definitions": {"own": config["definitions"]["own"]},
                                                  "models": ["own"], "scale": "full"})  # fmt: skip


def test_a_key_that_would_break_the_line_is_quoted(base_config):
    assert "filters.'\\n' is unknown" in refusal(changed(base_config, "filters/\n", 1))


def test_a_missing_block_is_named(base_config):
    config = copy.deepcopy(base_config)
    del config["folds"]
    assert "the configuration lacks the key folds" in refusal(config)


def test_own_data_may_not_be_trained_at_the_demos_scale(base_config):
    overlay = {"experiment": "mine", "data": {"source": "faces.csv"}}
    assert "set scale: small or full" in refusal(merge(base_config, overlay))


def test_the_message_names_the_file_that_holds_the_key(base_config, tmp_path):
    base, overlay = tmp_path / "base.yaml", tmp_path / "overlay.yaml"
    base.write_text(yaml.safe_dump(base_config))
    overlay.write_text("folds: {number: 1}\n")
    config = merge(base_config, {"folds": {"number": 1}})
    with pytest.raises(InputError, match=f"^{overlay}: folds.number is 1"):
        complete_config(config, [str(base), str(overlay)])


def test_images_too_small_for_a_net_that_is_not_trained_are_no_fault(base_config):
    data = {"source": "digits.zip", "classes": ["zero", "one"], "image_size": [28, 28], "held_out": False}
    config = merge(base_config, {"experiment": "digits", "scale": "full", "data": data, "models": ["fc"]})
    config["filters"]["layers"] = config["feature_maps"]["layers"] = []
    assert complete_config(config, [])["models"] == ["fc"]


def test_layers_of_a_model(base_config):
    config = complete_config(base_config, [])
    assert "block4_pool" in model_layers(config, "cnn")
    assert "block4_pool" not in model_layers(config, "fc")


@pytest.mark.parametrize(("number", "first", "last"), [(2, "00", "01"), (20, "00", "19"), (101, "000", "100")])
def test_fold_names_are_padded(number, first, last):
    assert (fold_names(number)[0], fold_names(number)[-1], len(fold_names(number))) == (first, last, number)


UNREADABLE = {
    "bracket": (b"seed: 3\nmodels: [cnn\nfolds: 2\n", r"line 3: no YAML, expected ',' or ']'"),
    "tab": (b"seed: 3\n\tmodels: [cnn]\n", r"line 2: no YAML, found character '\\t'"),
    "tab in a key": (b"data:\n  sou\trce: synthetic\n", r"line 2: no YAML, found character '\\t'"),
    "encoding": (b"seed: 3\n# caf\xe9\n", r"line 2: it is not in UTF-8; save it in that encoding"),
    "NUL": (b"seed: \x00\n", r"line 1: no YAML, the character #0000; delete it"),
    "tag": (b"seed: !!python/object/apply:os.getpid []\n", r"line 1: .* could not determine a constructor for the tag"),
    "name": (b"seed: !!python/name:os.system\n", r"line 1: .* could not determine a constructor for the tag"),
    "expressions": (b"__use_yte__: true\nseed: ?1 + 1\n", "__use_yte__ has Snakemake run code of this file"),
    "date": (b"seed: 2001-99-99\n", "a value that cannot be read, month must be in 1..12"),
    "hex": (b"seed: 0x_\n", "a value that cannot be read"),
    "digits": (b"seed: " + b"9" * 5000 + b"\n", "a value that cannot be read"),
    "bool": (b"seed: !!bool x\n", "a value that cannot be read"),
    "timestamp": (b"seed: !!timestamp x\n", "a value that cannot be read"),
    "no int": (b'seed: !!int ""\n', "a value that cannot be read"),
    "no character": (b'seed: "\\UFFFFFFFF"\n', "a value that cannot be read"),
    "sexagesimal": (b"seed: " + b"1:" * 200 + b"1.5\n", "a value that cannot be read"),
    "empty": (b"", "nothing found, a block of keys expected"),
    "list": (b"- cnn\n", "a block of keys expected"),
    "key twice": (b"seed: 1\ndata:\n  source: a\n  source: b\n", "line 4: the key source stands in line 3 already"),
    "key twice in a line": (b"data: {source: a, source: b}\n", "line 1: the key source stands in line 1 already"),
    "key twice, JSON": (b'{"seed": 1,\n "seed": 2}\n', "line 2: the key seed stands in line 1 already"),
    "in itself": (b"seed: 1\nmodels: &all [cnn, *all]\n", "line 2: a value that contains itself"),
    "block in itself": (b"data: &data\n  source: {a: *data}\n", "line 2: a value that contains itself"),
    "missing": (None, "No such file or directory; restore it"),
}


@pytest.mark.parametrize(("content", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_config_file_that_cannot_be_read_is_refused_by_name_and_line(tmp_path, content, said):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        check_syntax(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_config_file_itself_passes():
    check_syntax(SCHEMA.parents[1] / "config.yaml")


def test_aliases_and_the_same_key_in_two_blocks_are_no_mistake(tmp_path):
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))  # 9 ** 29 values
    path = tmp_path / "config.yaml"
    path.write_text(f"a0: &a0 {{seed: 1}}\n{levels}\ncnn: {{seed: 1}}\nfc: {{seed: 1, <<: *a0}}\n")
    check_syntax(path)


def test_a_config_file_may_be_json(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text('{\n\t"seed": 3\n}\n', encoding="utf-8")
    check_syntax(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", '{\n\t"seed": -1\n}\n'), ("a.yaml", "folds: !!python/tuple [1]\nseed: -1\n")],
    ids=["JSON", "tag"],
)
def test_a_refusal_names_the_file_however_snakemake_could_read_it(base_config, tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{tmp_path / name}: seed is -1"):
        complete_config(base_config | {"seed": -1}, ["config.yaml", tmp_path / name])


def test_a_value_from_the_command_line_is_not_laid_to_a_file(base_config, tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{tmp_path}/a.yaml or --config: seed is 'abc'"):
        complete_config(base_config | {"seed": "abc"}, [tmp_path / "a.yaml"])


def test_numbers_in_braces_on_the_command_line_are_told_to_be_texts(base_config, tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 3\n", encoding="utf-8")
    config = base_config | {"saliency": base_config["saliency"] | {"checked": "20"}}
    with pytest.raises(InputError, match="after --config, Snakemake reads as texts: write it into a file"):
        complete_config(config, [tmp_path / "a.yaml"])


def test_what_is_left_to_config_yaml_is_told_of_the_experiments_own_file(tmp_path):
    """The reader is to change that file, and to leave config.yaml as it is."""
    files = [tmp_path / "config.yaml", tmp_path / "mine.yaml"]
    files[0].write_text("experiment: demo\nseed: 1\n", encoding="utf-8")
    files[1].write_text("seed: 2\n", encoding="utf-8")
    names = list(map(str, files))
    assert origin(names, ["experiment"], "demo") == f"{files[1]}, which leaves it to config.yaml"
    assert origin(names, ["seed"], 2) == str(files[1])
    assert origin(names[:1], ["seed"], 1) == str(files[0])


# Folds.


def mine(config, **folds):
    config = changed(config, "data/source", "faces") | {"experiment": "mine", "scale": "full"}
    return config | {"folds": config["folds"] | folds}


@pytest.mark.parametrize(
    ("folds", "found"),
    [
        (
            {"groups": {"csv": "a.csv", "column": "person"}},
            "folds.groups is .*, expected null, or one of csv, column and",
        ),
        ({"groups": {}}, "folds.groups is {}, expected null, or one of"),
        ({"groups": {"patern": "(x)"}}, "folds.groups.patern is unknown; did you mean 'pattern'"),
        ({"groups": {"column": ""}}, "folds.groups.column is '', expected name of a column"),
        (
            {"groups": {"pattern": "S[0-9]+"}},
            "folds.groups.pattern is 'S.*which has no part in parentheses; put the part",
        ),
        ({"groups": {"pattern": "(S[0-9+"}}, "folds.groups.pattern is '.S.*which is no regular expression"),
        ({"file": 3}, "folds.file is 3, expected null, or the path"),
    ],
)
def test_groups_and_folds_that_cannot_be_are_refused(base_config, folds, found):
    assert re.search(found, refusal(mine(base_config, **folds)))


@pytest.mark.parametrize("groups", [{"column": "person"}, {"pattern": "(x)"}])
def test_the_built_in_faces_have_neither_columns_nor_file_names(base_config, groups):
    assert "the built-in faces have neither" in refusal(changed(base_config, "folds/groups", groups))


def test_one_file_has_one_path_however_it_is_written(base_config):
    config = mine(base_config, groups={"csv": "./a//groups.csv"}, file="a/../folds.csv")
    assert complete_config(config, [])["folds"]["groups"] == {"csv": "a/groups.csv"}


def test_models_that_differ_in_nothing_but_their_folds_are_pairs(base_config):
    definitions = base_config["definitions"]
    for name, of, more in [
        ("fc_random", "fc", {}), ("cnn_random", "cnn", {}), ("fc_slow", "fc", {"learning_rate": 1e-5}),
    ]:  # fmt: skip
        definitions[name] = definitions[of] | {"folds": "random"} | more
    config = mine(base_config) | {"models": ["cnn_random", "fc_random", "fc_slow", "fc_dropout", "fc", "cnn"]}
    assert leakage_pairs(complete_config(config, [])) == [["fc", "fc_random"], ["cnn", "cnn_random"]]
    assert leakage_pairs(complete_config(mine(base_config), [])) == []
    # Settings of the scale count as well.
    small = {"fc": {"epochs": 3}, "cnn": {"epochs": 3}, "cnn_random": {"epochs": 3}}
    config |= {"scale": "tiny", "scales": {"tiny": {"definitions": small}}}
    assert leakage_pairs(complete_config(config, [])) == [["cnn", "cnn_random"]]


def test_factors_bear_the_name_of_no_column_of_their_table():
    """The settings are read without pandas, which the tables need."""
    assert tuple(tables.FACTORS) == settings.FACTORS


def test_an_experiment_with_factors_may_be_run_for_one_model_alone(base_config):
    config = base_config | {"factors": {"rate": "settings.dropout"}, "models": ["cnn"]}
    assert complete_config(config, [])["models"] == ["cnn"]


def test_a_factor_is_refused_if_two_models_differ_elsewhere(base_config):
    """A model of one's own gets nothing from the scale that makes the built-in one small."""
    more = base_config["definitions"]["fc"] | {"settings": {"width": 1.0, "dropout": 0.1}}
    config = changed(base_config, "definitions/fc_more", more)
    config |= {"models": ["fc", "fc_more"], "scale": "demo", "factors": {"dropout": "settings.dropout"}}
    line = refusal(config)
    for part in ("factors.dropout is 'settings.dropout'", "fc and fc_more differ in", "settings.width", "make both"):
        assert part in line
    # In full size, they are alike in all else.
    complete_config(config | {"scale": "full"}, [])


def test_a_block_of_settings_may_be_a_factor_as_a_whole(base_config):
    moved = base_config["definitions"]["cnn"] | {"augmentation": {"horizontal_flip": False, "rotation": 20}}
    config = changed(base_config, "definitions/moved", moved)
    config |= {"models": ["cnn", "moved"], "scale": "full", "factors": {"moved": "augmentation.horizontal_flip"}}
    assert complete_config(config, [])["models"] == ["cnn", "moved"]


def test_factors_are_not_asked_of_models_on_different_folds(base_config):
    random = base_config["definitions"]["fc"] | {"folds": "random", "epochs": 3}
    config = changed(base_config, "definitions/random", random) | {"factors": {"epochs": "epochs"}}
    complete_config(config, [])
