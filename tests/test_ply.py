"""Headers that lie, and layouts that differ; plyfile is the oracle of what is legal."""

import io
from pathlib import Path

import numpy as np
import plyfile
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon.errors import DataError
from recon.ply import HEADER_LIMIT, read_vertices

HEADER = b"ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n"
BODY = np.array([1, 2], "<f4").tobytes()


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "a.ply"
    path.write_bytes(content)
    return path


def test_a_plain_file(tmp_path):
    assert read_vertices(written(tmp_path, HEADER + BODY))["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace(b"\n", b"\r\n"),
        HEADER.replace(b"element", b"comment element vertex 99\ncomment \xff\xfe\nelement"),
        HEADER.replace(b"element", b"obj_info made by hand\n\nelement"),
        HEADER.replace(b"float", b"float32"),
    ],
)
def test_line_ends_comments_and_type_names_vary(tmp_path, header):
    assert read_vertices(written(tmp_path, header + BODY))["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not begin with 'ply'"),
        (b"PK\x03\x04", "does not begin with 'ply'"),
        (b"ply\n", "no end_header"),
        (b"ply\n" + b"comment x\n" * HEADER_LIMIT + HEADER[4:] + BODY, "no end_header"),
        (HEADER.replace(b"binary_little_endian", b"ascii") + b"1\n2\n", "is an ascii PLY"),
        (HEADER.replace(b"1.0", b"2.0") + BODY, "line 2"),
        (HEADER.replace(b"format", b"format binary_big_endian 1.0\nformat") + BODY, "line 3"),
        (HEADER.replace(b" 2\n", b" 4000000000\n") + BODY, "truncated or damaged"),
        (HEADER.replace(b" 2\n", b" 99999999999999999999\n") + BODY, "truncated or damaged"),
        (HEADER.replace(b" 2\n", b" " + b"9" * 5000 + b"\n") + BODY, "line 3"),
        (HEADER.replace(b" 2\n", b" -2\n") + BODY, "line 3"),
        (HEADER.replace(b" 2\n", b" 2.5\n") + BODY, "line 3"),
        (HEADER.replace(b" 2\n", b" 1\n") + BODY, "truncated or damaged"),
        (HEADER + BODY[:-1], "truncated or damaged"),
        (HEADER + BODY + b"\0", "truncated or damaged"),
        (HEADER.replace(b"float", b"quaternion") + BODY, "line 4"),
        (HEADER.replace(b"end_", b"property float x\nend_") + BODY, "a second time"),
        (HEADER.replace(b"vertex", b"face") + BODY, "no element 'vertex'"),
        (HEADER.replace(b"property float", b"property list uchar int") + BODY, "plain properties"),
        (HEADER.replace(b"element", b"property float y\nelement") + BODY, "line 3"),
        (
            HEADER.replace(b"element", b"element face 1\nproperty list uchar int v\nelement")
            + BODY,
            "a list stands before",
        ),
    ],
)
def test_what_cannot_be_trusted_is_refused_by_name(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=said) as refusal:
        read_vertices(path)
    assert str(path) in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.ply", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_vertices(path)


@given(st.binary(max_size=300), st.integers(0, len(HEADER) - 1))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damage_is_refused_or_harmless(tmp_path, noise, at):
    path = written(tmp_path, HEADER[:at] + noise + HEADER[at + len(noise) :] + BODY)
    try:
        rows = read_vertices(path)
    except DataError:
        return
    assert rows.nbytes <= path.stat().st_size


scalar_types = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])


@given(
    st.lists(scalar_types, min_size=1, max_size=6),
    st.integers(0, 20),
    st.sampled_from("<>"),
    st.booleans(),
    st.booleans(),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_files_of_plyfile_are_read_back(tmp_path, types, count, order, before, after):
    table = np.zeros(count, [(f"p{i}", t) for i, t in enumerate(types)])
    random = np.random.default_rng(count)
    for name in table.dtype.names:
        table[name] = random.integers(0, 100, count)
    vertex = plyfile.PlyElement.describe(table, "vertex")
    other = np.array([(1, 2.5)], [("a", "u1"), ("b", "f4")])
    faces = np.empty(1, [("v", "O")])
    faces["v"][0] = np.array([0, 1, 2], "i4")
    elements = [plyfile.PlyElement.describe(other, "camera")] if before else []
    elements.append(vertex)
    if after:
        elements.append(plyfile.PlyElement.describe(faces, "face"))
    stream = io.BytesIO()
    plyfile.PlyData(elements, byte_order=order, comments=["end_header? no"]).write(stream)
    rows = read_vertices(written(tmp_path, stream.getvalue()))
    assert rows.dtype.names == table.dtype.names
    for name in table.dtype.names:
        np.testing.assert_array_equal(rows[name], table[name])
