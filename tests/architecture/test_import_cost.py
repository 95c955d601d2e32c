"""`import nacre` and `nacre --help` load neither JAX nor NumPy, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("jax", "jaxlib", "numpy", "h5py", "matplotlib", "tensorflow", "torch")


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    program = (
        f"{code}\nimport sys; print('\\n' + ' '.join({{n.split('.')[0] for n in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_import_nacre_loads_nothing_heavy() -> None:
    assert not loaded_after("import nacre") & set(HEAVY)


def test_import_nacre_does_not_load_rich() -> None:
    assert "rich" not in loaded_after("import nacre")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["version"], ["doctor", "--help"]])
def test_light_commands_load_nothing_heavy(words: list[str]) -> None:
    code = (
        "from nacre.cli.main import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as leave: assert not leave.code, leave.code"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_dir_of_the_package_lists_lazy_names() -> None:
    assert "nacre" in loaded_after("import nacre; assert 'layers' in dir(nacre), dir(nacre)")


def test_models_layers_and_ops_do_not_load_pallas() -> None:
    """It takes a third of the time of everything else: 80 ms."""
    code = (
        "import nacre.ops, sys; nacre.Model, nacre.layers.Dense, nacre.GradientTape\n"
        "assert 'jax._src.pallas.core' not in sys.modules"
    )
    assert "nacre" in loaded_after(code)


def test_the_first_name_leaves_the_garbage_collector_as_it_was() -> None:
    code = (
        "import gc, nacre\n"
        "nacre.losses; assert gc.isenabled()\n"
        "gc.disable(); nacre.layers; assert not gc.isenabled(); gc.enable()\n"
        "try: nacre.Modle\n"
        "except AttributeError: pass\n"
        "assert gc.isenabled()"
    )
    assert "jax" in loaded_after(code)
