"""casadv_lib: Cascade-guided Adversarial Training of sequential recommenders, made to be read.

Read the files of this folder in the order in which data flows: data, batching, backbones,
cascade, losses, adversarial, training, evaluation, attacks; settings names every choice. What
makes them fast and safe lies in `support`; `datasets`, `experiments`, `results`, `figures`,
`widgets` and `exercises` are built on them, each on those before it.
"""

import os
from pathlib import Path as _Path

# PyTorch's sums in 512-bit steps give other last digits than in 256-bit ones, and training turns
# these into other third digits. The smaller step, no slower here, gives both kinds of processor
# the same numbers. It counts if PyTorch was not imported before; ATEN_CPU_CAPABILITY overrules it.
_processor = _Path("/proc/cpuinfo")
if _processor.exists() and "avx512f" in _processor.read_text():
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")

from .adversarial import METHODS, training_loss
from .attacks import attack
from .backbones import BACKBONES, Backbone, CausalCNN, GRU4Rec, SASRec
from .batching import pack
from .cascade import cascade_effects, cascade_effects_flat, cascade_weights
from .data import SequenceDataset
from .datasets import load_dataset
from .evaluation import evaluate, hit_ratio, ndcg, paired_bootstrap
from .settings import AdversarialSettings, TrainingSettings
from .training import fit, fit_adversarial

__version__ = "0.1.0"
