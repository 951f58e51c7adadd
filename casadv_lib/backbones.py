"""Backbones: SASRec, GRU4Rec and a causal CNN behind one small interface (Eq. 3 and 4).

A backbone reads the embeddings S of a history and gives a user vector w at every position:

    rows = model.embed(batch.inputs)         # S, (n, d): the raw rows of the item table
    w = model.encode(rows, batch, drop)      # (n, d), causal: w_t depends on items up to t only
    model.score(w, model.embed(items))       # r = w . e, Eq. 4

`encode` takes embeddings, not items, because adversarial training moves them (Eq. 6), and takes
its dropout as an argument, because two passes over one batch must share their masks. A backbone
of one's own subclasses `Backbone` and writes `__init__` and `encode`.
"""

import contextlib
import functools

import torch
from torch import Tensor, nn

from .batching import PackedBatch
from .data import SequenceDataset
from .support.checks import LARGEST, instance, number
from .support.layers import causal_mask, folded

MOST_LAYERS, MOST_ITEMS = 60, 2**31
ROWS = 512  # items whose distances are held at once
no_dropout = nn.Identity()  # the `drop` argument of evaluation


class Backbone(nn.Module):
    """What every backbone shares: the item table, used for the input and for the scores.

    n_items: items are 1..n_items, row 0 of the table is padding.
    max_len: T, only the last max_len items of a history are read.
    dim: d. dropout: in [0, 1). Training holds (n_items + 1) * d * 4 bytes of items 6 to 9 times:
    weights, gradient, Adam's two moments, and copies of the last good and the best epoch.
    """

    def __init__(self, n_items: int, max_len: int = 50, dim: int = 100, dropout: float = 0.2):
        super().__init__()
        self.n_items = number("n_items", n_items, low=1, high=MOST_ITEMS, kind=int)
        self.max_len = number("max_len", max_len, low=1, high=LARGEST, kind=int)
        self.dim = number("dim", dim, low=1, high=LARGEST, kind=int)
        self.dropout = number("dropout", dropout, low=0, high=0.99)
        self.items = nn.Embedding(self.n_items + 1, self.dim)
        self.input_scale = self.dim**0.5  # between the item table and what the first layer sees

    def check_items(self, data) -> None:
        """Raise ValueError unless `data` is a SequenceDataset with this model's number of items."""
        if self.n_items != instance("data", data, SequenceDataset).n_items:
            raise ValueError(f"the model has {self.n_items} items, the data set {data.name!r} "
                             f"{data.n_items}; allowed is a model made for this data set")

    def initialise(self) -> None:
        """Xavier-normal weights, zero biases but in a GRU; layer norms are the identity."""
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def embed(self, items: Tensor) -> Tensor:
        """Raw rows of the item table, (..., d), before any scaling."""
        return self.items(items)

    @torch.no_grad()
    def item_table(self) -> Tensor:
        """The rows of all items without padding's, (n_items, d): row 0 is item 1; no gradient."""
        return self.embed(torch.arange(1, self.n_items + 1, device=self.items.weight.device))

    def encode(self, rows: Tensor, batch: PackedBatch, drop=no_dropout) -> Tensor:
        """User vectors w, (n, d), from item embeddings `rows`, (n, d) (Eq. 3)."""
        raise NotImplementedError(f"{type(self).__name__} must define encode(rows, batch, drop)")

    def score(self, w: Tensor, rows: Tensor) -> Tensor:
        """r = w . e for matching rows, (n,) (Eq. 4); ranking knows no other score."""
        return (w * rows).sum(-1)

    @contextlib.contextmanager
    def evaluating(self):
        """Inside, the model is in evaluation mode; afterwards in the mode that it was in."""
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)

    def forward(self, batch: PackedBatch) -> Tensor:
        """User vectors of a batch without dropout, (n, d)."""
        return self.encode(self.embed(batch.inputs), batch)


class SASRec(Backbone):
    """Self-attentive sequential recommendation (Kang and McAuley 2018).

    In the form of its widely used PyTorch port: queries come from LN(x), keys and values from x
    itself, what is read goes through an output projection, and the residual starts at LN(x). The
    authors' TensorFlow code has no output projection; with one head it can be folded into the
    values, so that both forms describe the same functions.
    """

    def __init__(self, n_items, max_len=50, dim=100, n_blocks=2, n_heads=1, dropout=0.2):
        super().__init__(n_items, max_len, dim, dropout)
        n_blocks = number("n_blocks", n_blocks, low=1, high=MOST_LAYERS, kind=int)
        self.n_heads = number("n_heads", n_heads, low=1, kind=int)
        if self.dim % self.n_heads:
            raise ValueError(f"n_heads is {n_heads}; allowed are divisors of dim, which is {dim}")
        self.positions = nn.Embedding(self.max_len, self.dim)
        self.blocks = nn.ModuleList(SASRecBlock(self.dim, self.n_heads) for _ in range(n_blocks))
        self.norm = nn.LayerNorm(self.dim, eps=1e-8)
        self.initialise()

    def encode(self, rows, batch, drop=no_dropout):
        # counted from the end: the newest item always has the last position
        position = self.positions(self.max_len - 1 - batch.from_end)
        x = drop(torch.add(position, rows, alpha=self.input_scale))
        for block in self.blocks:
            x = block(x, batch, drop)
        return self.norm(x)


class SASRecBlock(nn.Module):
    """One block: q = LN(x), x = q + attention(q, x, x); y = LN(x), x = y + FFN(y)."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(dim, eps=1e-8)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.output = nn.Linear(dim, dim)
        self.norm_ffn = nn.LayerNorm(dim, eps=1e-8)
        self.ffn_in = nn.Linear(dim, dim)
        self.ffn_out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, batch: PackedBatch, drop) -> Tensor:
        q = self.norm_attention(x)
        attend = functools.partial(self.attend, drop=drop)
        if self.n_heads > 1:
            key, value = self.key_value(x).chunk(2, dim=-1)
            x = q + self.output(batch.blocks(attend, self.query(q), key, value))
        else:  # the same function of the same weights with fewer multiplications
            parts = folded(self.query, self.key_value, self.output, q, x)
            x = q + batch.blocks(attend, *parts) + self.output.bias
        y = self.norm_ffn(x)
        return y + drop(self.ffn_out(torch.relu(drop(self.ffn_in(y)))))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, drop=no_dropout) -> Tensor:
        """Causal attention in one (users, length, d) block: softmax(q k' / sqrt(d)) v."""
        users, length, _ = query.shape

        def heads(x):  # (users x heads, length, d / heads)
            return x.view(users, length, self.n_heads, -1).transpose(1, 2).flatten(0, 1)

        q, k, v = heads(query), heads(key), heads(value)
        mask = causal_mask(length, q.device, q.dtype)  # -inf above the diagonal
        # the mask and the scaling ride along with the product
        shares = torch.baddbmm(mask, q, k.mT, alpha=q.shape[2] ** -0.5).softmax(-1)
        mixed = torch.bmm(drop(shares), v)
        return mixed.view(users, self.n_heads, length, -1).transpose(1, 2).flatten(2)


class GRU4Rec(Backbone):
    """A GRU over the history (Hidasi et al. 2015); its hidden state is the user vector."""

    def __init__(self, n_items, max_len=50, dim=100, dropout=0.2):
        super().__init__(n_items, max_len, dim, dropout)
        self.gru = nn.GRU(self.dim, self.dim)
        self.initialise()

    def encode(self, rows, batch, drop=no_dropout):
        return batch.recur(self.gru, drop(rows * self.input_scale))


class CausalCNN(Backbone):
    """Dilated causal convolutions with residuals, in the manner of NextItNet (Yuan et al. 2019).

    Layer l looks `2**l` and `2 * 2**l` steps back: with three taps and four layers a position
    sees the 31 newest items.
    """

    def __init__(self, n_items, max_len=50, dim=100, n_layers=4, dropout=0.2):
        super().__init__(n_items, max_len, dim, dropout)
        layers = range(number("n_layers", n_layers, low=1, high=MOST_LAYERS, kind=int))
        self.convolutions = nn.ModuleList(nn.Linear(3 * self.dim, self.dim) for _ in layers)
        self.norms = nn.ModuleList(nn.LayerNorm(self.dim) for _ in layers)
        self.initialise()

    def encode(self, rows, batch, drop=no_dropout):
        x = drop(rows * self.input_scale)
        for layer, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            reach = 2**layer
            taps = torch.cat([x, batch.earlier(x, reach), batch.earlier(x, 2 * reach)], dim=-1)
            x = x + drop(torch.relu(norm(convolution(taps))))
        return x


@torch.no_grad()
def nearest_items(model: Backbone, count: int) -> Tensor:
    """The `count` items nearest to each item, nearest first, (n_items, count) int64.

    Euclidean, in the present item table; neither the item itself nor padding is among them, so
    count is from 1 to n_items - 1.
    """
    count = number("count", count, low=1, high=model.n_items - 1, kind=int)
    table = model.item_table()
    squares, nearest = table.square().sum(1), []
    for a in range(0, len(table), ROWS):
        # ||e' - e||^2 - ||e||^2: the same order, one matrix product
        apart = torch.addmm(squares, table[a : a + ROWS], table.T, alpha=-2)
        apart.diagonal(a).fill_(torch.inf)
        nearest.append(apart.topk(count, dim=1, largest=False).indices + 1)
    return torch.cat(nearest)


BACKBONES = {"sasrec": SASRec, "gru4rec": GRU4Rec, "causalcnn": CausalCNN}
