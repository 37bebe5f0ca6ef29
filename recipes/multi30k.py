"""Multi30k, German to English as in the article "Grokking Transformers", or the other way.

accelerate launch recipes/multi30k.py
accelerate launch recipes/multi30k.py --direction en-de
accelerate launch recipes/multi30k.py --data_dir FOLDER   (train.de, train.en, val.de, ... also .gz)
"""

import sys

from vaswani.experiment import parse, run


def main() -> None:
    argv = sys.argv[1:]
    source, target = "de", "en"
    if "--direction" in argv:
        at = argv.index("--direction")
        source, target = argv[at + 1].split("-")
        del argv[at : at + 2]
    if not any(flag.startswith("--data_dir") for flag in argv):
        argv += ["--dataset", "bentrevett/multi30k"]
    run(
        parse(
            __doc__ or "",
            model={
                "vocab_size": 8000,
                "d_model": 256,
                "d_ff": 1024,
                "num_heads": 4,
                "encoder_layers": 3,
                "decoder_layers": 3,
                "dropout": 0.3,
            },
            data={"source": source, "target": target, "tokens_per_batch": 2048},
            training={
                "output_dir": f"runs/multi30k-{source}-{target}",
                "max_steps": 6000,
                "warmup_steps": 1000,
                "peak_learning_rate": 1e-3,
                "eval_steps": 500,
                "save_steps": 250,
                "logging_steps": 50,
            },
            argv=argv,
        )
    )


if __name__ == "__main__":
    main()
