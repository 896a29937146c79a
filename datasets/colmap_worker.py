"""Structure from motion by pycolmap, as a program that runs in a process of its own.

pycolmap carries a zlib of its own. Where Python's was not loaded before, whatever compresses later
in the same process aborts it; and COLMAP ends the process where it meets what it did not expect.

The only argument is a file with a job, see `run`. What is begun is printed in a line each: `match`,
`map`, and `image` for each photo that is placed. The result is written when all is done.
"""

import json
import sys
import zlib  # noqa: F401  Before pycolmap.
from pathlib import Path
from typing import Any

import pycolmap


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Find poses.

    Args:
        job: `photos`, their folder; `groups`, lists of names that share a camera; `lens`, COLMAP's
            name of the camera model; `longest_edge`, in pixels, of photos in which key points are
            looked for; `video`, how many of the photos 1, 2, 4, ... further on each is matched
            with, 0 for all with all; `database`, a new file; `models`, a new folder.

    Returns:
        `key_points` by name; `pairs`, the lists (a, b, matches, matches that agree); `needed`, how
        many of those a pair takes to count; `models`, a list of each model's folder, names,
        points, observations of those in photos, and mean reprojection error in pixels.
    """
    pycolmap.set_random_seed(0)
    database = Path(job["database"])
    extract(job, database)
    print("match", flush=True)
    # A seed in these options as well bent the model of a street each time it was tried.
    options = pycolmap.TwoViewGeometryOptions()
    chosen: dict[str, Any] = {"verification_options": options, "device": pycolmap.Device.cpu}
    if job["video"]:
        steps = pycolmap.SequentialPairingOptions()
        steps.overlap, steps.quadratic_overlap = job["video"], True
        pycolmap.match_sequential(database, pairing_options=steps, **chosen)
    else:
        pycolmap.match_exhaustive(database, **chosen)
    print("map", flush=True)
    models = reconstruct(job, database)
    return {**matched(database), "needed": options.min_num_inliers, "models": models}


def extract(job: dict[str, Any], database: Path) -> None:
    """Find key points; photos of one group share a camera."""
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = job["longest_edge"]
    lens = pycolmap.ImageReaderOptions()
    lens.camera_model = job["lens"]
    for names in job["groups"]:
        pycolmap.extract_features(
            database,
            job["photos"],
            names,
            pycolmap.CameraMode.SINGLE,
            reader_options=lens,
            extraction_options=options,
            device=pycolmap.Device.cpu,
        )


def reconstruct(job: dict[str, Any], database: Path) -> list[dict[str, Any]]:
    """Place one photo after the other, into as many models as do not hang together."""
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size = 2
    options.random_seed = options.mapper.random_seed = options.triangulation.random_seed = 0
    found = pycolmap.incremental_mapping(
        database,
        job["photos"],
        job["models"],
        options,
        next_image_callback=lambda: print("image", flush=True),
    )
    return [
        {
            "folder": str(Path(job["models"]) / str(number)),
            "names": [model.image(i).name for i in model.reg_image_ids()],
            "points": model.num_points3D(),
            "observations": model.compute_num_observations(),
            "error_px": model.compute_mean_reprojection_error(),
        }
        for number, model in found.items()
        if model.num_points3D() > 0
    ]


def matched(database: Path) -> dict[str, Any]:
    """Read what was found before any photo was placed."""
    with pycolmap.Database.open(database) as opened:
        names = {image.image_id: image.name for image in opened.read_all_images()}
        counts = dict(zip(*opened.read_num_matches(), strict=True))
        agreeing = dict(zip(*opened.read_two_view_geometry_num_inliers(), strict=True))
        return {
            "key_points": {n: opened.num_keypoints_for_image(i) for i, n in names.items()},
            "pairs": [
                [
                    *(names[i] for i in pycolmap.pair_id_to_image_pair(pair)),
                    n,
                    agreeing.get(pair, 0),
                ]
                for pair, n in counts.items()
            ],
        }


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text())
    result = run(task)
    Path(task["result"]).write_text(json.dumps(result))
