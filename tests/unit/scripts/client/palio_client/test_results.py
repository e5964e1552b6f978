"""The results have what Palio answers: each field of the answers' models, and the models' examples are read."""

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from scripts.client.palio_client import results
from serve_app.api import answers

PAIRS = [
    (getattr(results, name), model)
    for name, model in vars(answers).items()
    if isinstance(model, type) and issubclass(model, BaseModel) and hasattr(results, name)
]
RENAMED: dict[str, list[type[answers.Answer]]] = {
    "Submitted": [answers.Accepted, answers.ScoreOutcome],
    "Joined": [answers.Accepted, answers.JoinOutcome],
}


def names(struct: Any) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize(("struct", "model"), PAIRS, ids=lambda one: one.__name__)
def test_a_result_has_each_field_of_its_answer(struct: Any, model: type[answers.Answer]) -> None:
    fields = {field.alias or name for name, field in model.model_fields.items()}
    assert fields - names(struct) == set(), f"mend {struct.__name__} in scripts/client/palio_client/results.py"
    if "example" in vars(model):
        assert msgspec.convert(model.example, struct, strict=True)


def test_most_answers_are_results() -> None:
    assert len(PAIRS) >= 25
    for name, models in RENAMED.items():
        fields = {field for model in models for field in model.model_fields} - {"id"}
        assert fields == names(getattr(results, name))


def test_what_a_newer_palio_adds_is_no_error() -> None:
    row = answers.Row.example | {"colour": "red"}
    assert msgspec.convert(row, results.Row).rank == 1
