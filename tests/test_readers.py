"""What a reader of a saved model needs is said in one way everywhere, and by the model itself where it is not there."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache, EncoderDecoderCache, Pipeline, pipeline

from vaswani.modeling.configuration_vaswani import READERS
from vaswani.publishing import RunRecord, model_card
from vaswani.publishing.files_to_push import code_imported_by, code_of
from vaswani.storage.records import from_json

ROOT = Path(__file__).resolve().parents[1]
MakeModel = Callable[..., Any]
RUN = {
    "data": {"direction": "en-de", "dataset": None, "dataset_config": None, "max_tokens": 256, "tokens_per_batch": 256},
    "training": {"batches_per_step": 1, "max_steps": 9, "warmup_steps": 3, "seed": 1},
    "model": {
        "vocab_size": 9,
        "d_model": 8,
        "d_ff": 8,
        "num_heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 1,
    },
    "versions": {},
    "command": "python recipes/quickstart.py",
}


def test_card_readme_and_docs_name_the_version_that_the_model_asks_for() -> None:
    texts = [(ROOT / name).read_text() for name in ("README.md", "docs/hub.md")]
    for text in (*texts, model_card("ann/tiny", from_json(RunRecord, RUN, "run.json"), None, {})):
        assert f"pip install torch '{READERS}'" in text
        assert text.count("pip install torch") == text.count(f"pip install torch '{READERS}'")


@pytest.mark.parametrize("version", ["4.57.6", "5.3.0"])
def test_an_older_transformers_is_told_in_a_line(tmp_path: Path, talker: MakeModel, version: str) -> None:
    """It says that it is older, in the metadata by which versions are known; the code is the same."""
    talker().save_pretrained(tmp_path / "model")
    metadata = tmp_path / "older" / f"transformers-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: transformers\nVersion: {version}\n")
    load = "from transformers import AutoConfig; AutoConfig.from_pretrained('model', trust_remote_code=True)"
    done = subprocess.run(
        [sys.executable, "-c", load],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "older"), "HF_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"ImportError: {READERS} is required" in done.stderr
    assert f"but found transformers=={version}" in done.stderr
    assert f"pip install -U '{READERS}'" in last


def test_the_file_of_the_network_names_all_others(tmp_path: Path, talker: MakeModel) -> None:
    """Versions of transformers before 5.9 copy what that file imports, and not what these import in their turn."""
    talker().save_pretrained(tmp_path)
    assert code_imported_by([tmp_path / "modeling_vaswani.py"]) == code_of(tmp_path) - {"modeling_vaswani.py"}


def test_a_cache_goes_by_either_name(tiny_model: MakeModel, padded_batch: Callable[..., Any]) -> None:
    """`generate` calls it `cache` since transformers 5.24, and past_key_values before."""
    model, batch = tiny_model(), padded_batch()
    del batch["labels"]
    found = {}
    for module, result in ((model, "logits"), (model.model, "last_hidden_state")):
        for name in ("past_key_values", "cache"):
            cache = EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))
            asked = {**batch, name: cache, "use_cache": True}
            for token in (4, 5):
                output = module(**asked, decoder_input_ids=torch.full((3, 1), token))
            assert cache.get_seq_length() == 2
            found[result, name] = output[result]
        assert torch.equal(found[result, "cache"], found[result, "past_key_values"])


def test_the_pipeline_takes_settings_where_transformers_prepares_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, talker: MakeModel, toy_tokenizer: Any
) -> None:
    """Pipelines have that function since transformers 5.18."""
    talker().save_pretrained(tmp_path)
    toy_tokenizer.save_pretrained(tmp_path)
    asked = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 5}
    make: Any = pipeline  # its signatures do not list the task
    expected = make("translation", model=str(tmp_path))("the cat", **asked)
    monkeypatch.delattr(Pipeline, "_prepare_generate_kwargs")
    assert make("translation", model=str(tmp_path))("the cat", **asked) == expected
    assert len(expected) == 2
