"""Which versions of transformers load a saved model where this package is not installed, and what the others say.

    python -m benchmarks.decoding.readers runs/mine --transformers 5.3.0 5.4.0 5.24.0 [--environments /tmp/readers]

Each version is installed by pip in a folder of its own beside one environment with torch, and asked what docs/hub.md
promises: the Auto classes, the paper's search and the pipeline. Both are kept for the next time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring.report import add_output, leave
from vaswani.storage import atomic_folder

PROBE = """
import json, sys
folder, text = sys.argv[1:]
found = {}

def step(name, do):
    try:
        found[name] = do()
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"

import torch, transformers
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer
trust = {"trust_remote_code": True}

def translate():
    tokenizer, model = (each.from_pretrained(folder, **trust) for each in (AutoTokenizer, AutoModelForSeq2SeqLM))
    encoded = tokenizer(text, return_tensors="pt")
    return model.generate(**encoded, num_beams=4, length_penalty=0.6, num_return_sequences=2).tolist()

step("AutoConfig", lambda: AutoConfig.from_pretrained(folder, **trust).model_type)
step("AutoTokenizer", lambda: AutoTokenizer.from_pretrained(folder, **trust)(text).input_ids)
step("AutoModel", lambda: type(AutoModel.from_pretrained(folder, **trust)).__name__)
step("AutoModelForSeq2SeqLM", lambda: type(AutoModelForSeq2SeqLM.from_pretrained(folder, **trust)).__name__)
step("generate", translate)
step("pipeline", lambda: transformers.pipeline("translation", model=folder, **trust)([text, text], num_beams=4))
print(json.dumps(found))
"""
STEPS = ("AutoConfig", "AutoTokenizer", "AutoModel", "AutoModelForSeq2SeqLM", "generate", "pipeline")


def main() -> None:
    """Try each version, and leave a report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model, such as runs/quickstart")
    parser.add_argument("--transformers", metavar="X.Y.Z", nargs="+", required=True, help="versions to try")
    parser.add_argument("--torch", metavar="X.Y.Z", default="2.13.0", help="(default: 2.13.0)")
    parser.add_argument(
        "--text", default="A dog runs through the snow.", help="sentence to translate (default: %(default)s)"
    )
    parser.add_argument(
        "--environments", metavar="FOLDER", type=Path, help="kept for the next time (default: not kept)"
    )
    add_output(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = (args.environments or Path(temporary)).resolve()
        python = with_torch(args.torch, place)
        found = {
            version: tried(args.model, args.text, python, with_transformers(version, python, place))
            for version in args.transformers
        }
    about = {"Python": sys.version.split()[0], "torch": args.torch, "model": args.model.resolve().name}
    leave(args.output, about, table(found), {"found": found})


def with_torch(version: str, place: Path) -> Path:
    """Return the Python of an environment that holds torch, and nothing of ours."""
    environment = place / f"torch-{version}"
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip(python, f"torch=={version}", "numpy")
    return python


def with_transformers(version: str, python: Path, place: Path) -> Path:
    """Return a folder that holds a version of transformers with what it asks for."""
    folder = place / f"transformers-{version}"
    if not folder.exists():
        with atomic_folder(folder) as draft:
            pip(python, f"transformers=={version}", "--target", draft)
    return folder


def with_accelerate(python: Path, place: Path) -> Path:
    """Return a folder that holds what the Trainer asks for beside torch and transformers, for any version of these."""
    folder = place / "accelerate"
    if not folder.exists():
        with atomic_folder(folder) as draft:
            pip(python, "accelerate", "psutil", "--no-deps", "--target", draft)
    return folder


def pip(python: Path, *words: str | Path) -> None:
    """Install something."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", *words], check=True)


def tried(model: Path, text: str, python: Path, library: Path) -> dict[str, Any]:
    """Return what each step of the probe gave: a value, or an error as text with its class before it."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"PYTHONPATH": str(library), "HF_HOME": home, "HF_HUB_OFFLINE": "1"}
        command: list[str | Path] = [python, "-c", PROBE, model.resolve(), text]
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word")
        return dict.fromkeys(STEPS, f"Error: {last}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the steps of each version: as the last one that can all has it, otherwise, or the error."""
    whole = [each for each in found.values() if not any(is_error(value) for value in each.values())]
    lines = [f"| transformers | {' | '.join(STEPS)} |", f"|---{'|---' * len(STEPS)}|"]
    errors: dict[str, str] = {}
    for version, each in found.items():
        cells = []
        for step in STEPS:
            if is_error(each[step]):
                cells.append(errors.setdefault(each[step], f"({len(errors) + 1})"))
            else:
                cells.append("yes" if whole and each[step] == whole[-1][step] else "another answer")
        lines.append(f"| {version} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number} `{error[:400]}`" for error, number in errors.items())])


def is_error(value: Any) -> bool:
    """Tell what the probe caught."""
    return isinstance(value, str) and ("Error: " in value or "Exception: " in value)


if __name__ == "__main__":
    main()
