"""An epoch of phase 1 against RecBole's SASRec and GRU4Rec with RecBole's own trainer."""

from __future__ import annotations

from benchmarks.public import compare

MATCHED = {"loss": "BPR", "batch_size": 128, "steps": 8}
SHIPPED = {"loss": "CE", "batch_size": 2048, "steps": 1, "headline": False}


def main(dataset: str = "beauty", batches: int = 24, repeats: int = 3, dim: int = 100,
         device: str = "cpu", shipped: bool | None = None, script=None) -> dict:
    """shipped: also with RecBole's default loss and batch; None: not for long histories."""
    variants = {}
    for model in ("SASRec", "GRU4Rec"):
        variants[f"RecBole {model}"] = {"ours": model.lower(), "model": model} | MATCHED
    if shipped is None:
        shipped = dataset != "ml-1m"  # 2,048 samples of 200 items would need minutes a step
    if shipped:
        for model in ("SASRec", "GRU4Rec"):
            key = f"RecBole {model}, its default loss and batch"
            variants[key] = {"ours": model.lower(), "model": model} | SHIPPED
    found = compare("recbole", dataset, variants, batches, repeats, dim, device, script)
    found["notes"].append(
        "RecBole makes one sample of every prefix of a history, padded to T, with one target; "
        "here a history is one sample with a target at each place. Its rows have 128 samples a "
        "batch and the BPR loss with one negative, the nearest to Eq. 5; its defaults are "
        "2,048 samples and cross-entropy over all items. Its blocks are those of BERT (GELU, "
        "layer norm after the residual), its GRU4Rec has a dense layer behind the GRU, and its "
        "Adam has no decay."
    )
    return found
