"""The learners by name: an entry here is all that training, benchmarks and tests ask for."""

from molmeta.learners.base import Learner
from molmeta.learners.baselines import NearestNeighbours, RandomForest, TanimotoGP
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.maml import ANIL, MAML
from molmeta.learners.protonet import ProtoNet

LEARNERS: dict[str, type[Learner]] = {
    "protonet": ProtoNet,
    "deepkernel": DeepKernel,
    "maml": MAML,
    "anil": ANIL,
    "random_forest": RandomForest,
    "knn": NearestNeighbours,
    "tanimoto_gp": TanimotoGP,
}
