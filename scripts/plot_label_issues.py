"""Draw the images whose labels are most suspicious."""

from fercv.workflow.jobs import run

from fercv.data.arrays import open_images
from fercv.data.tables import LABEL_RANKING, TEXT, read_table
from fercv.figures.drawing import save_figure
from fercv.figures.mistakes import label_issues_figure

SHOWN = 40


def main(snakemake):
    """Write label_issues.png."""
    images = open_images(snakemake.input.images)
    ranking = read_table(
        snakemake.input.ranking, LABEL_RANKING, others=TEXT, below={"index": len(images)}, may_be_empty=True
    )
    first, models = ranking.head(SHOWN), len(ranking.columns) - len(LABEL_RANKING)
    figure = label_issues_figure(
        images[first["index"].to_numpy()], first[["given", "suggested", "votes"]], len(ranking), models
    )
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
