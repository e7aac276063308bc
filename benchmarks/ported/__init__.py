"""Networks, ports of them, faults to plant into the ports, and rewrites that change nothing."""

from ported.cnn import FAULTS as CNN_FAULTS
from ported.cnn import REWRITES as CNN_REWRITES
from ported.gpt import FAULTS as GPT_FAULTS
from ported.gpt import REWRITES as GPT_REWRITES
from ported.lstm import FAULTS as LSTM_FAULTS
from ported.lstm import REWRITES as LSTM_REWRITES

FAULTS = (*CNN_FAULTS, *LSTM_FAULTS, *GPT_FAULTS)
REWRITES = (*CNN_REWRITES, *LSTM_REWRITES, *GPT_REWRITES)
