"""The graph partition for users of the library; it is implemented in stages/partition.py."""

from ssap_ros.stages.partition import (
    N_OFFSETS,
    CascadeReport,
    LevelReport,
    Linkage,
    cascaded_graph_partition,
    edge_costs,
    greedy_additive,
    kernighan_lin,
    multicut_objective,
    upsample_labels,
)

__all__ = [
    "N_OFFSETS",
    "CascadeReport",
    "LevelReport",
    "Linkage",
    "cascaded_graph_partition",
    "edge_costs",
    "greedy_additive",
    "kernighan_lin",
    "multicut_objective",
    "upsample_labels",
]
