"""What writes small generated files of each image dataset, in the original layout, into a folder."""

from affect_files import write_affect
from faces_files import write_faces
from vision_files import write_celeba, write_celeba64, write_ham10000, write_ham10000_64

IMAGE_WRITERS = {
    "affect": lambda folder: write_affect(folder, images=True),
    "celeba": write_celeba,
    "celeba64": write_celeba64,
    "faces": write_faces,
    "ham10000": write_ham10000,
    "ham10000_64": write_ham10000_64,
}
