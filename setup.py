"""Packaging. What each dependency is for stands in docs/dependencies.md; constraints.txt pins what the tests ran on."""

import re
from pathlib import Path

from setuptools import find_packages, setup

INIT = Path(__file__).with_name("src") / "vaswani" / "__init__.py"
[VERSION] = re.findall(r'^__version__ = "(.+)"$', INIT.read_text(encoding="utf-8"), re.MULTILINE)

setup(
    name="vaswani",
    version=VERSION,
    description='The Transformer of "Attention Is All You Need" on the Hugging Face stack, from laptop to cluster',
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"vaswani": ["py.typed"], "vaswani.engines.browser": ["page/*"]},
    install_requires=[
        "torch>=2.11",
        "transformers>=5.20,<6",
        "accelerate>=1.12,<2",
        "tokenizers>=0.23.1",
        "datasets>=5,<6",
        "huggingface-hub>=1.31,<3",
        "evaluate>=0.4.6",
        "sacrebleu>=2.5",
        "sacremoses>=0.2",
        "safetensors>=0.8",
        "numpy>=2.1",
        "pyarrow>=21",
        "matplotlib>=3.9.2",
        "tensorboard>=2.18",
        "tqdm>=4.66.3",
        "fsspec>=2025.3",
        "regex>=2025.10.22",
        "PyYAML>=6.0.2",
    ],
    extras_require={
        "deepspeed": ["deepspeed>=0.18"],
        "ctranslate2": ["ctranslate2>=4.6.3"],
        "ja": ["sacrebleu[ja]>=2.5"],
        "ko": ["sacrebleu[ko]>=2.5"],
        "lora": ["peft>=0.18"],
        "marian": ["sentencepiece>=0.2"],
        "onnx": ["onnx>=1.18", "onnxruntime>=1.22", "onnxscript>=0.7"],
        "browser": ["onnx>=1.18", "onnxruntime>=1.22", "onnxscript>=0.7"],
        "serve": ["fastapi>=0.165", "prometheus-client>=0.22", "pydantic>=2.12", "starlette>=1.6", "uvicorn>=0.40"],
        "demo": ["gradio>=6.11,<7"],
        "docs": ["furo>=2025.12", "myst-parser>=5,<6", "sphinx>=9,<10"],
        "dev": [
            "ctranslate2>=4.6.3",
            "deepspeed>=0.18",
            "fastapi>=0.165",
            "gradio>=6.11,<7",
            "hypothesis>=6.130",
            "import-linter>=2.3",
            "mypy>=1.18.1",
            "onnx>=1.18",
            "onnxruntime>=1.22",
            "onnxscript>=0.7",
            "peft>=0.18",
            "polib>=1.2",
            "prometheus-client>=0.22",
            "psutil>=6",
            "pytest>=8.4",
            "pytest-timeout>=2.4",
            "pytest-xdist>=3.8",
            "ruff>=0.13",
            "selenium>=4.36",
            "sentencepiece>=0.2",
            "uvicorn>=0.40",
        ],
    },
    entry_points={"console_scripts": ["vaswani = vaswani.commands:main"]},
)
