"""The stub of the extension module names what the module has, and nothing else."""

import ast
from pathlib import Path

from proofbook import _native

STUB = Path(_native.__file__).with_name("_native.pyi")


def names_of(body: list[ast.stmt]) -> set[str]:
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for name in defined if not name.startswith("_")}


def public(thing: object) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_the_stub_names_what_the_module_has() -> None:
    tree = ast.parse(STUB.read_text())
    assert names_of(tree.body) == public(_native), "functions and classes"
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            assert names_of(node.body) == public(getattr(_native, node.name)), node.name
