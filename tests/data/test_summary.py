"""The data summary, what is doubtful in it, and its text."""

import json

import numpy as np
import pytest
from support.pictures import save

from jaxgen.config.data import DataConfig
from jaxgen.data import doubts, report, sheet, sources, summary, summary_text
from jaxgen.errors import UserError
