"""What is freed, closed or released too early, or twice: the usual wrong fixes. Each is a
change of the fixed half, by the pair's name."""

import too_early_one
import too_early_two

TOO_EARLY = too_early_one.TOO_EARLY | too_early_two.TOO_EARLY
