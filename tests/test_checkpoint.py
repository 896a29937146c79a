import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from recon import checkpoint
from recon.checkpoint import Checkpoint
from recon.errors import DataError, ResourceError
from recon.gaussians import Gaussians


def some(step: int) -> Checkpoint:
    count = 5
    gaussians = Gaussians(
        means=torch.full((count, 3), float(step)),
        quaternions=torch.rand(count, 4),
        log_scales=torch.rand(count, 3),
        opacity_logits=torch.rand(count),
        sh_base=torch.rand(count, 1, 3),
        sh_rest=torch.rand(count, 15, 3),
    )
    state = {"momenta.means.exp_avg": torch.rand(count, 3), "order.waiting": torch.arange(4)}
    return Checkpoint(step, 1.5, 1000, gaussians, state)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = some(10)
    checkpoint.save(tmp_path, saved)
    loaded, problems = checkpoint.load_latest(tmp_path)
    assert problems == []
    assert (loaded.step, loaded.seconds, loaded.peak_memory_bytes) == (10, 1.5, 1000)
    for name, tensor in saved.gaussians.named().items():
        assert torch.equal(getattr(loaded.gaussians, name), tensor)
    assert loaded.state.keys() == saved.state.keys()
    assert all(torch.equal(loaded.state[k], v) for k, v in saved.state.items())


def test_the_last_two_stay(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, some(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_0000002", "step_0000003"]


@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: str) -> None:
    checkpoint.save(tmp_path, some(1))
    file = checkpoint.save(tmp_path, some(2)) / "state.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[:-7])
    elif damage == "flip":
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    loaded, problems = checkpoint.load_latest(tmp_path)
    assert loaded.step == 1
    assert "step_0000002" in problems[0]


def test_another_version_is_refused(tmp_path: Path) -> None:
    meta = checkpoint.save(tmp_path, some(1)) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "schema": 999}))
    with pytest.raises(DataError, match=r"step_0000001.*schema 999"):
        checkpoint.load_latest(tmp_path)


def test_no_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recon resume"):
        checkpoint.load_latest(tmp_path)


def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, some(1))

    def full(tensors: object, path: Path) -> None:
        Path(path).write_bytes(b"partly")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(ResourceError, match="disk is full"):
        checkpoint.save(tmp_path, some(2))
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["step_0000001"]
    assert checkpoint.load_latest(tmp_path)[0].step == 1


def test_kill_at_any_moment_leaves_whole_checkpoints(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        import torch
        from recon import checkpoint
        from recon.checkpoint import Checkpoint
        from recon.gaussians import Gaussians
        n = 20000
        g = Gaussians(torch.rand(n, 3), torch.rand(n, 4), torch.rand(n, 3), torch.rand(n),
                      torch.rand(n, 1, 3), torch.rand(n, 15, 3))
        for step in range(1, 10**6):
            checkpoint.save(Path(sys.argv[1]), Checkpoint(step, 0.0, 0, g, {}))
            print(step, flush=True)
    """)
    for delay in (0.01, 0.037, 0.061):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line)
            if last >= 2:
                break
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        loaded, problems = checkpoint.load_latest(tmp_path)
        assert loaded.step >= last
        assert problems == []
