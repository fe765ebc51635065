"""The recipe of a training: its equations, and its settings in words."""

from __future__ import annotations

from hornbook.averaging import EVERY
from hornbook.compound import Clip, Schedule
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.markup import counted
from hornbook.optimizers import BETA1, BETA2, DECAY

CELLS = {
    "vanilla": ["h_t = tanh(x_t U + h_{t−1} W + b)"],
    "gru": [
        "u = x_t U + b,   v = h_{t−1} W",
        "r = σ(u_r + v_r),   z = σ(u_z + v_z),   n = tanh(u_n + r ∘ v_n)",
        "h_t = (1 − z) ∘ n + z ∘ h_{t−1}",
    ],
    "lstm": [
        "a = x_t U + h_{t−1} W + b",
        "i = σ(a_i),   f = σ(a_f),   g = tanh(a_g),   o = σ(a_o)",
        "s_t = f ∘ s_{t−1} + i ∘ g,   h_t = o ∘ tanh(s_t)",
    ],
}
STEPS = {
    "sgd": ["θ ← θ − η g"],
    "adagrad": ["m ← m + g^2", "θ ← θ − η g / √(m + 10^{−8})"],
    "rmsprop": [f"m ← {DECAY:g} m + {1 - DECAY:.2g} g^2", "θ ← θ − η g / (√m + 10^{−8})"],
    "adam": [
        f"m_1 ← {BETA1:g} m_1 + {1 - BETA1:.1g} g,   m_2 ← {BETA2:g} m_2 + {1 - BETA2:.1g} g^2",
        f"θ ← θ − η (m_1 / (1 − {BETA1:g}^k)) / (√(m_2 / (1 − {BETA2:g}^k)) + 10^{{−8}})",
    ],
}
OPTIMIZERS = {"sgd": "SGD", "adagrad": "AdaGrad", "rmsprop": "RMSProp", "adam": "Adam"}
STARTS = {
    "scaled": "U, W normal with variance 1/(2n), V with 1/n, of n rows",
    "orthogonal": "W orthogonal for each gate, U, V uniform by their size",
}


def recipe(model: ModelSettings, training: TrainingSettings) -> list[str]:
    """The mathematics of the training, a line an equation."""
    clip = Clip.parse(training.clip)
    clipped = {
        "value": [f"g ← clip(g, −{clip.limit:g}, {clip.limit:g})"],
        "norm": [f"g ← g · min(1, {clip.limit:g} / ‖g‖)"],
        "none": [],
    }[clip.kind]
    shrunk = f"θ ← θ − {training.weight_decay:g} η θ"
    return [
        *CELLS[model.cell],
        "p_t = softmax(h_t V + c)",
        f"loss = −{averaged(training)} log p_t[y_t]",
        *clipped,
        *([shrunk] if training.weight_decay else []),
        *([f"η_U = {training.input_rate:g} η"] if training.input_rate != 1 else []),
        *(line.replace("η", rate_symbol(training)) for line in STEPS[training.optimizer]),
        *mean_of_the_last(training),
    ]


def mean_of_the_last(training: TrainingSettings) -> list[str]:
    """The mean of the parameters, where they have one."""
    if not training.average:
        return []
    a = 2 / training.average
    return [f"θ̄ ← θ̄ + min(1, {a - 1:.4g} / (n + {a - 2:.4g})) (θ − θ̄)    after update {EVERY} n"]


def averaged(training: TrainingSettings) -> str:
    """The sum over the characters and streams of an update, with what it is multiplied by."""
    mean = training.objective == "mean"
    if training.streams == 1:
        return "1/T Σ_t" if mean else "Σ_t"
    return "1/(B T) Σ_{b,t}" if mean else "1/B Σ_{b,t}"


def rate_symbol(training: TrainingSettings) -> str:
    """The rate as it stands in the equations: its number, where it is always the same."""
    constant = training.schedule == "constant" and not training.warmup
    constant = constant and not training.weight_decay and training.input_rate == 1
    return f"{training.lr:g}" if constant else "η"


def network(model: ModelSettings, training: TrainingSettings) -> str:
    """The network in words."""
    layers = f", {model.layers} layers, each reading the one below it" if model.layers > 1 else ""
    dropped = f", {training.dropout:.0%} of each layer's outputs left out in training"
    units = counted(model.hidden, "hidden unit")
    each = " a layer" if model.layers > 1 else ""
    return f"{model.cell}, {units}{each} (H){layers}{dropped if training.dropout else ''}"


def order(training: TrainingSettings) -> str:
    """How the text is read, in words."""
    each = f" in each of {training.streams:,} streams (B)" if training.streams > 1 else ""
    update = f"{counted(training.seq_len, 'character')} an update (T){each}"
    if training.order == "shuffled":
        return (
            f"{update}, in chunks of {counted(training.chunk, 'update')}, shuffled anew each epoch; the "
            "hidden state is zero where a chunk begins"
        )
    return f"{update}, in order; the hidden state is carried on, and zero where the text starts again"


def start(training: TrainingSettings) -> str:
    """The initial values in words."""
    normal = f"U, V, W normal with deviation {training.init_scale:g}"
    return f"{STARTS.get(training.init, normal)}; biases zero; seed {training.seed}"


def descent(training: TrainingSettings) -> str:
    """The optimizer and its rate in words."""
    rising = f", rising over the first {counted(training.warmup, 'update')}" if training.warmup else ""
    counted_by = " in update k" if training.optimizer == "adam" else ""
    symbol = "" if rate_symbol(training) != "η" else " (η)"
    return (
        f"{OPTIMIZERS[training.optimizer]}{counted_by}, learning rate{symbol} {training.lr:g}{rising}"
        f"{falling(training)}; {clipping(training)}"
        f"{'; the mean θ̄ of the last parameters is the model' if training.average else ''}"
    )


def falling(training: TrainingSettings) -> str:
    """How the rate goes on, in words."""
    schedule = Schedule.parse(training.schedule)
    end = f"{training.lr * schedule.share:g}" if schedule.share else "zero"
    return {
        "constant": "",
        "linear": f", falling evenly to {end} at the end",
        "cosine": f", falling to {end} at the end as a half cosine does",
        "step": f", times {schedule.factor:g} every {counted(schedule.every, 'update')}",
    }[schedule.kind]


def clipping(training: TrainingSettings) -> str:
    """What is done to a gradient, in words."""
    clip = Clip.parse(training.clip)
    return {
        "value": f"each entry of a gradient clipped to ±{clip.limit:g}",
        "norm": f"gradients scaled to a norm of at most {clip.limit:g}",
        "none": "gradients not clipped",
    }[clip.kind]
