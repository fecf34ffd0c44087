"""The learners by name: an entry here is all that training, benchmarks and tests ask for."""

from molmeta.learners.adkf import ADKF
from molmeta.learners.base import Learner
from molmeta.learners.baselines import NearestNeighbours, RandomForest, TanimotoGP
from molmeta.learners.classical import EuclideanNeighbours, LogisticRegression
from molmeta.learners.deepkernel import DeepKernel
from molmeta.learners.incontext import InContext
from molmeta.learners.lstm import LSTMMetaLearner
from molmeta.learners.maml import ANIL, MAML
from molmeta.learners.matching import Matching
from molmeta.learners.metasgd import MetaSGD
from molmeta.learners.platipus import Platipus
from molmeta.learners.protonet import ProtoNet
from molmeta.learners.reptile import Reptile

LEARNERS: dict[str, type[Learner]] = {
    "protonet": ProtoNet,
    "matching": Matching,
    "incontext": InContext,
    "deepkernel": DeepKernel,
    "adkf": ADKF,
    "maml": MAML,
    "anil": ANIL,
    "metasgd": MetaSGD,
    "reptile": Reptile,
    "lstm": LSTMMetaLearner,
    "platipus": Platipus,
    "random_forest": RandomForest,
    "knn": EuclideanNeighbours,
    "tanimoto_knn": NearestNeighbours,
    "logistic_regression": LogisticRegression,
    "tanimoto_gp": TanimotoGP,
}
