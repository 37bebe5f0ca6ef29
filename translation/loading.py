"""A saved model, loaded completely or refused: transformers would initialise missing weights at random."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    __version__,
)
from transformers.utils import GENERATION_CONFIG_NAME

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.storage import check_object, naming_damage
from vaswani.training.checkpointing.weight_checks import check_loaded

from .model_files import check_files
from .settings import check_kinds


def load_whole(folder: Path, **how: Any) -> PreTrainedModel:
    """Return the model of a folder.

    Args:
        folder: what `save_pretrained` left.
        **how: what `from_pretrained` takes.

    Raises:
        ValueError: its weights are truncated, do not fit its configuration or are no finite floating-point numbers, its
            settings cannot be read, a file is compressed, or it is no encoder-decoder that transformers knows.

    """
    check_files(folder)
    check_kinds(folder / GENERATION_CONFIG_NAME)
    check_network(folder)
    with naming_damage(f"the model in {folder}", "config.json, generation_config.json or a file of weights"):
        try:
            model, found = AutoModelForSeq2SeqLM.from_pretrained(
                folder, output_loading_info=True, trust_remote_code=False, **how
            )
        except SafetensorError as error:
            raise ValueError(f"the weights in {folder} are damaged ({error}); copy them again") from error
        except RuntimeError as error:  # tensors of other sizes
            raise ValueError(_unlike(folder, str(error).splitlines()[0])) from error
    lacking, further = sorted(found["missing_keys"]), sorted(found["unexpected_keys"])
    if lacking:
        raise ValueError(_unlike(folder, f"the file lacks {_some(lacking)}"))
    if further and isinstance(model, VaswaniForConditionalGeneration):
        raise ValueError(_unlike(folder, f"the file also has {_some(further)}"))
    check_loaded(model, folder)
    whole: PreTrainedModel = model
    return whole


def check_network(folder: Path) -> None:
    """Raise ValueError unless a folder holds an encoder-decoder that transformers knows."""
    check_object(folder / "config.json")
    content, _ = PreTrainedConfig.get_config_dict(folder)
    if not isinstance(content.get("model_type"), str | None):
        raise ValueError(f"{folder / 'config.json'} is damaged: model_type is {content['model_type']!r}; copy it again")
    kind = content.get("model_type") or f"that is not named ({', '.join(content.get('architectures') or ['unknown'])})"
    try:
        with naming_damage(f"the configuration in {folder}"):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except ValueError as error:
        runs = "" if "auto_map" not in content else ", and the code beside it is not trusted to run"
        if content.get("model_type") in CONFIG_MAPPING:
            raise ValueError(f"{folder / 'config.json'} cannot be used: {error}") from error
        raise ValueError(
            f"{folder} holds a network of a type {kind}, which transformers {__version__} does not know{runs}"
        ) from error
    if type(config) not in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
        raise ValueError(
            f"{folder} holds a network of the type {kind}, which is not an encoder-decoder over text; give one that is"
        )


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder, of whatever class it names.

    Raises:
        ValueError: it cannot be read, or needs a library that is not installed.

    """
    check_files(Path(folder))
    if (lacking := lacking_reader(Path(folder))) is not None:
        raise ValueError(f"the tokenizer in {folder} cannot be loaded: it is {lacking}")
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)  # or it would ask on the terminal
    except ImportError as error:
        raise ValueError(f"the tokenizer in {folder} cannot be loaded: {' '.join(str(error).split())}") from error
    except ValueError as error:  # the error of truncated JSON does not name its file
        raise ValueError(f"the tokenizer in {folder} cannot be loaded: {error}") from error
    except OSError:  # names its file
        raise
    except Exception as error:  # of many types, even a bare Exception
        raise ValueError(
            f"the tokenizer in {folder} cannot be loaded ({type(error).__name__}: {error}): tokenizer.json or "
            "tokenizer_config.json is damaged; copy both again"
        ) from error


def lacking_reader(folder: Path) -> str | None:
    """Return what has to be installed before the tokenizer of a folder can be read; None: it can be."""
    if (folder / "tokenizer.json").exists() or not (folder / "source.spm").exists() or find_spec("sentencepiece"):
        return None
    return "read by sentencepiece, which is not installed; pip install 'vaswani[marian]'"


def _unlike(folder: Path, what: str) -> str:
    return f"the weights in {folder} do not fit its config.json: {what}; copy both from one model"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
