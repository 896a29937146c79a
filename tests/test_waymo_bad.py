"""Damaged and incomplete segments end in an error that says what is wrong and what still works."""

import contextlib
import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drives import NAME, MemoryScans, make_drive
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon.datasets.drive_source import DriveOptions
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.tfrecord import frame, records
from recon.datasets.waymo_schema import new
from recon.datasets.waymo_segment import LaserScan, Segment
from recon.datasets.waymo_write_v1 import pack, to_message, write_v1
from recon.datasets.waymo_write_v2 import write_v2
from recon.errors import DataError
from recon.types import Capture

STEPS = 3
CAMERAS_ONLY = DriveOptions(lidar="A")


def read(path: Path, drive: DriveOptions | None = None) -> Capture:
    return read_capture(path, ReadOptions(hold_every=0, drive=drive or DriveOptions()))


def write(folder: Path, kind: str, segment: Segment) -> Path:
    if kind == "v1":
        write_v1(folder / "s.tfrecord", segment)
        return folder / "s.tfrecord"
    write_v2(folder / "s", segment)
    return folder / "s"


@pytest.fixture(params=["v1", "v2"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def record_file(tmp_path: Path) -> Path:
    return write(tmp_path, "v1", make_drive(STEPS))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, "v2", make_drive(STEPS))


def component(root: Path, name: str) -> Path:
    return root / name / f"{NAME}.parquet"


@pytest.mark.parametrize("cut", [1, 3, 5, 100])
def test_a_tfrecord_that_is_cut_off(record_file: Path, cut: int) -> None:
    record_file.write_bytes(record_file.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"s\.tfrecord, record 2: cut off.*--drive\.frames 0 1"):
        read(record_file)


def test_a_tfrecord_that_ends_in_a_header(record_file: Path) -> None:
    whole = record_file.read_bytes()
    record_file.write_bytes(whole + whole[:5])
    with pytest.raises(DataError, match="record 3: cut off"):
        read(record_file)


@pytest.mark.parametrize("part", ["length", "data"])
def test_a_wrong_checksum_names_the_record(record_file: Path, part: str) -> None:
    second = next(r for r, _ in records(record_file) if r.number == 1)
    content = bytearray(record_file.read_bytes())
    content[second.offset - 4 if part == "length" else second.offset + second.length // 2] ^= 1
    record_file.write_bytes(content)
    with pytest.raises(DataError, match=f"record 1: the checksum of its {part} is wrong"):
        read(record_file)


def test_the_whole_frames_before_the_damage_can_be_read(record_file: Path) -> None:
    record_file.write_bytes(record_file.read_bytes()[:-100])
    capture = read(record_file, DriveOptions(frames=(0, 1)))
    assert {view.step for view in capture.views} == {0, 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"no record at all, whatever its name says", "no TFRecord"),
        (gzip.compress(b"x" * 100), "compressed with gzip"),
        (frame(b"\xff" * 30), "record 0: no Waymo frame"),
        (frame(b""), "no frame of Waymo's perception data"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.tfrecord").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_two_segments_in_one_tfrecord(tmp_path: Path) -> None:
    drive = make_drive(STEPS)
    first = to_message(drive, drive.frames[0])
    second = to_message(replace(drive, name="another"), drive.frames[1])
    file = tmp_path / "s.tfrecord"
    file.write_bytes(b"".join(frame(m.SerializeToString()) for m in (first, second)))
    with pytest.raises(DataError, match=f"record 1: of segment another, .* are of {NAME}"):
        read(file)


def test_two_tfrecords_in_one_folder(tmp_path: Path, record_file: Path) -> None:
    (tmp_path / "t.tfrecord").write_bytes(record_file.read_bytes())
    with pytest.raises(DataError, match=r"2 TFRecords.*give the path of one"):
        read(tmp_path)


def test_time_that_does_not_go_on(tmp_path: Path) -> None:
    drive = make_drive(STEPS)
    write_v1(tmp_path / "s.tfrecord", replace(drive, frames=drive.frames[::-1]))
    with pytest.raises(DataError, match=r"record 1: its time .* does not come after"):
        read(tmp_path)


def test_a_damaged_range_image_names_its_record(tmp_path: Path) -> None:
    drive = make_drive(STEPS)
    message = to_message(drive, drive.frames[0])
    message.lasers[0].ri_return1.range_image_compressed = b"not zlib"
    (tmp_path / "s.tfrecord").write_bytes(frame(message.SerializeToString()))
    capture = read(tmp_path, CAMERAS_ONLY)
    with pytest.raises(DataError, match="record 0: a range image is damaged"):
        capture.lidar[0].returns()


def test_a_range_image_of_another_shape(tmp_path: Path) -> None:
    drive = make_drive(STEPS)
    message = to_message(drive, drive.frames[0])
    three = pack(np.ones((4, 5, 3), np.float32), "MatrixFloat")
    message.lasers[0].ri_return1.range_image_compressed = three
    (tmp_path / "s.tfrecord").write_bytes(frame(message.SerializeToString()))
    with pytest.raises(DataError, match=r"record 0: a range image has the shape \(4, 5, 3\)"):
        read(tmp_path)
    write_v2(tmp_path / "v2", drive)
    file = component(tmp_path / "v2", "lidar")
    table, name = pq.read_table(file), "[LiDARComponent].range_image_return1.shape"
    shapes = pa.array([[10, 59, 4]] * len(table), pa.list_(pa.int32(), 3))
    pq.write_table(table.set_column(table.column_names.index(name), name, shapes), file)
    with pytest.raises(DataError, match=r"row 0: component lidar .* shape \(10, 59, 4\)"):
        read(tmp_path / "v2")


def test_other_beams_than_the_calibration_has(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    image = np.ones((4, 5, 4), np.float32)
    scans = MemoryScans((LaserScan("TOP", (image, None)),))
    path = write(tmp_path, kind, replace(drive, frames=[replace(drive.frames[0], scans=scans)]))
    with pytest.raises(DataError, match="TOP has 10 beam inclinations for a range image of 4 rows"):
        read(path)


@pytest.mark.parametrize("name", ["camera_image", "camera_calibration"])
def test_components_that_nothing_works_without(root: Path, name: str) -> None:
    component(root, name).unlink()
    with pytest.raises(DataError, match=f"component {name} is missing.* Nothing can be fitted"):
        read(root)


@pytest.mark.parametrize("name", ["lidar_calibration", "vehicle_pose"])
def test_components_that_only_lidar_needs(root: Path, name: str) -> None:
    component(root, name).unlink()
    with pytest.raises(DataError, match=rf"component {name} is missing.*--drive\.lidar A"):
        read(root)
    capture = read(root, CAMERAS_ONLY)
    assert len(capture.views) == 2 * STEPS
    assert capture.lidar == ()
    assert any(name in warning for warning in capture.warnings)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("lidar", "no LiDAR"),
        ("lidar_box", "moving objects are not known"),
        ("lidar_pose", "smeared by the car's own motion"),
        ("lidar_camera_projection", "no colours"),
    ],
)
def test_components_that_one_can_do_without(root: Path, name: str, loss: str) -> None:
    component(root, name).unlink()
    capture = read(root)
    assert len(capture.views) == 2 * STEPS
    warning = capture.warnings[0]
    assert name in warning
    assert loss in warning
    assert (capture.points is None) == (name == "lidar")


@pytest.mark.parametrize(
    ("name", "column", "still"),
    [
        ("camera_image", "[CameraImageComponent].pose.transform", "Nothing can be fitted"),
        ("camera_calibration", "[CameraCalibrationComponent].intrinsic.k3", "Nothing can be"),
        ("camera_image", "key.camera_name", "where a row belongs"),
        ("lidar", "[LiDARComponent].range_image_return1.values", "--drive.lidar A"),
        ("lidar_calibration", "[LiDARCalibrationComponent].extrinsic.transform", "--drive.lidar A"),
        ("vehicle_pose", "[VehiclePoseComponent].world_from_vehicle.transform", "--drive.lidar A"),
        ("lidar_box", "[LiDARBoxComponent].box.heading", "--drive.lidar A"),
    ],
)
def test_a_missing_column_is_named(root: Path, name: str, column: str, still: str) -> None:
    file = component(root, name)
    table = pq.read_table(file)
    pq.write_table(table.drop_columns([column]), file)
    with pytest.raises(DataError) as error:
        read(root)
    for part in (str(file), f"component {name} has no column {column}", still):
        assert part in str(error.value)
    if still.startswith("--drive"):
        assert len(read(root, CAMERAS_ONLY).views) == 2 * STEPS


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("camera_image", "key.frame_timestamp_micros"),
        ("camera_image", "[CameraImageComponent].pose_timestamp"),
        ("camera_calibration", "[CameraCalibrationComponent].width"),
        ("lidar", "key.laser_name"),
    ],
)
def test_an_empty_value_names_its_row(root: Path, name: str, column: str) -> None:
    file = component(root, name)
    table = pq.read_table(file)
    kind = table.schema.field(column).type
    values = [*table.column(column).to_pylist()[:1], *[None] * (len(table) - 1)]
    at = table.column_names.index(column)
    pq.write_table(table.set_column(at, column, pa.array(values, kind)), file)
    with pytest.raises(DataError) as error:
        read(root)
    assert f"row 1: component {name} has nothing in {column}" in str(error.value)


def test_columns_that_one_can_do_without(root: Path) -> None:
    file = component(root, "camera_image")
    table = pq.read_table(file)
    known = [c for c in table.column_names if "velocity" not in c and "rolling" not in c]
    pq.write_table(table.select(known), file)
    capture = read(root)
    assert len(capture.views) == 2 * STEPS
    assert all(view.shutter is None for view in capture.views)


def test_several_segments_below_one_root(root: Path) -> None:
    write_v2(root, replace(make_drive(STEPS), name="another"))
    with pytest.raises(DataError, match=f"holds 2 segments.*such as .*{NAME}"):
        read(root)
    assert len(read(root / "another").views) == 2 * STEPS


def test_files_of_different_segments_in_one_folder(tmp_path: Path) -> None:
    drive = make_drive(STEPS)
    write_v2(tmp_path / "a", drive)
    write_v2(tmp_path / "b", replace(drive, name="another"))
    flat = tmp_path / "flat"
    flat.mkdir()
    component(tmp_path / "a", "camera_image").rename(flat / "1.parquet")
    (tmp_path / "b/camera_calibration/another.parquet").rename(flat / "2.parquet")
    with pytest.raises(DataError, match=f"more than one segment.*{NAME} in camera_image.*another"):
        read(flat)
    (tmp_path / "b/camera_image/another.parquet").rename(flat / "3.parquet")
    with pytest.raises(DataError, match=r"1\.parquet and 3\.parquet both hold camera_image"):
        read(flat)


def test_parquet_files_that_are_no_waymo(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no file has the columns of a Waymo component"):
        read(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "noise", "encrypted"])
def test_a_file_that_cannot_be_read(root: Path, damage: str) -> None:
    file = component(root, "camera_image")
    whole = file.read_bytes()
    content = {
        "cut": whole[: len(whole) // 2],
        "noise": b"noise" * 100,
        # A file with an encrypted footer begins and ends with PARE.
        "encrypted": b"PARE" + whole[4:-4] + b"PARE",
    }
    file.write_bytes(content[damage])
    with pytest.raises(DataError, match=f"{file}: component camera_image cannot be read"):
        read(root)


def test_a_damaged_page_names_its_row(root: Path) -> None:
    capture = read(root, CAMERAS_ONLY)
    file = component(root, "lidar")
    meta = pq.ParquetFile(file).metadata.row_group(0).column(3)
    content = bytearray(file.read_bytes())
    start = meta.dictionary_page_offset or meta.data_page_offset
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"lidar.*cannot be read"):
        capture.lidar[0].returns()


def test_a_row_without_its_photo(root: Path) -> None:
    file = component(root, "camera_image")
    table = pq.read_table(file)
    name = "[CameraImageComponent].image"
    photos = table.column(name).to_pylist()
    photos[1], photos[2] = None, photos[2][:-200]
    column = pa.array(photos, pa.binary())
    pq.write_table(table.set_column(table.column_names.index(name), name, column), file)
    capture = read(root)
    assert len(capture.views) == 2 * STEPS - 2
    empty, cut = capture.warnings
    assert "row 1 (SIDE_LEFT): holds no photo" in empty
    assert "row 2 (FRONT): cannot be read as an image" in cut


def test_a_camera_without_photos(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    frames = [replace(f, images=[i for i in f.images if i.camera == "FRONT"]) for f in drive.frames]
    path = write(tmp_path, kind, replace(drive, frames=frames))
    capture = read(path)
    assert {view.sensor for view in capture.views} == {"FRONT"}
    assert "calibrated cameras without any photo: SIDE_LEFT" in capture.warnings
    with pytest.raises(DataError, match=r"camera SIDE_LEFT has no photo; .* can name FRONT\."):
        read(path, DriveOptions(cameras=("SIDE_LEFT",)))


def test_no_photos_at_all(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    frames = [replace(f, images=[]) for f in drive.frames]
    with pytest.raises(DataError, match=r"no record holds a photo|camera_image is missing"):
        read(write(tmp_path, kind, replace(drive, frames=frames)))


def test_a_camera_without_calibration(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    path = write(tmp_path, kind, replace(drive, cameras={"FRONT": drive.cameras["FRONT"]}))
    with pytest.raises(DataError, match="camera SIDE_LEFT has photos and no calibration"):
        read(path)
    assert len(read(path, DriveOptions(cameras=("FRONT",))).views) == STEPS


def test_a_laser_without_calibration(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    path = write(tmp_path, kind, replace(drive, lasers={"TOP": drive.lasers["TOP"]}))
    with pytest.raises(DataError, match=r"time step 0: laser FRONT .*--drive\.lidar A"):
        read(path)
    assert len(read(path, CAMERAS_ONLY).views) == 2 * STEPS


def test_clocks_that_disagree(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    late = [
        replace(
            f, images=[replace(i, pose_time=i.pose_time + 9 * n) for n, i in enumerate(f.images)]
        )
        for f in drive.frames
    ]
    capture = read(write(tmp_path, kind, replace(drive, frames=late)))
    assert {view.sensor for view in capture.views} == {"FRONT"}
    assert len(capture.warnings) == STEPS
    assert "skipped SIDE_LEFT/0000: its clock is 9.0" in capture.warnings[0]


def test_lidar_without_returns(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    nothing = np.full((10, 6, 4), -1, np.float32)
    scans = MemoryScans((LaserScan("TOP", (nothing, nothing)),))
    frames = [replace(f, scans=scans) for f in drive.frames]
    capture = read(write(tmp_path, kind, replace(drive, frames=frames)))
    assert capture.points is None
    assert "the LiDAR sweeps hold no return" in capture.warnings[-1]
    assert len(capture.lidar[0].returns()) == 0


def test_poses_that_are_none(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    broken = [replace(drive.frames[0].images[0], vehicle_to_world=np.full((4, 4), np.nan))]
    frames = [replace(drive.frames[0], images=broken), *drive.frames[1:]]
    capture = read(write(tmp_path, kind, replace(drive, frames=frames)), CAMERAS_ONLY)
    assert len(capture.views) == 2 * STEPS - 2
    assert "skipped FRONT/0000: its pose holds NaN" in capture.warnings[0]


def test_two_photos_of_one_camera_and_time(tmp_path: Path, kind: str) -> None:
    drive = make_drive(STEPS)
    twice = replace(drive.frames[0], images=[drive.frames[0].images[0]] * 2)
    frames = [twice, *drive.frames[1:]]
    capture = read(write(tmp_path, kind, replace(drive, frames=frames)))
    assert "skipped FRONT/0000: its name came before" in capture.warnings[0]


def test_a_transform_of_the_wrong_size(record_file: Path) -> None:
    message = new("Frame")
    message.context.name, message.timestamp_micros = NAME, 1
    message.pose.transform.extend([1.0] * 12)
    record_file.write_bytes(frame(message.SerializeToString()))
    with pytest.raises(DataError, match="record 0: its pose has 12 numbers; expected 16"):
        read(record_file)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    file = write(tmp_path_factory.mktemp("fuzz"), "v1", make_drive(STEPS))
    return file, file.read_bytes()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.binary(min_size=1, max_size=6))
def test_any_damage_is_found(small: tuple[Path, bytes], where: float, junk: bytes) -> None:
    file, whole = small
    start = int(where * (len(whole) - len(junk)))
    changed = whole[:start] + junk + whole[start + len(junk) :]
    file.write_bytes(changed)
    if changed == whole:
        return
    with pytest.raises(DataError):
        read(file)


@pytest.fixture(scope="module")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fuzz"), "v2", make_drive(STEPS))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["camera_calibration", "vehicle_pose", "lidar_box", "camera_image", "lidar"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=12),
)
def test_any_bytes_in_a_component(small_root: Path, name: str, where: float, junk: bytes) -> None:
    """Parquet has no checksums as a rule, so some damage is only a strange value."""
    file = component(small_root, name)
    whole = file.read_bytes()
    start = int(where * (len(whole) - len(junk)))
    file.write_bytes(whole[:start] + junk + whole[start + len(junk) :])
    try:
        with contextlib.suppress(DataError):
            for view in read(small_root).views:
                assert bool(view.camera.world_to_camera.isfinite().all())
    finally:
        file.write_bytes(whole)


def test_a_checksum_by_the_book() -> None:
    """The CRC-32C of "123456789" is in RFC 3720; TFRecords rotate it by 15 and add a constant."""
    crc = 0xE3069283
    rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
    expected = (rotated + 0xA282EAD8) & 0xFFFFFFFF
    assert struct.unpack("<I", frame(b"123456789")[-4:])[0] == expected
