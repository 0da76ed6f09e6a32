"""What image generation hears: the command to make images."""

from contracts.image_generation import GenerateImage
from services.image_generation.handlers.drawing import generate_image
from shared.handling import Reactions, Works

REACTIONS: Reactions = {}
WORK: Works = {GenerateImage: generate_image}
