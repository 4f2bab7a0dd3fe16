"""The learning rate that falls where the validation loss does not, over a kill as well."""

from apps.lab.schedules import VALIDATION_LOSS, Plateau, plateau_rate

__all__ = ["VALIDATION_LOSS", "Plateau", "plateau_rate"]
