"""Graphs: layers that pass messages along edges, and pooling of all nodes of a graph."""

from nacre.layers.graph.attention import GATConv as GATConv
from nacre.layers.graph.convolution import GCNConv as GCNConv
from nacre.layers.graph.convolution import GINConv as GINConv
from nacre.layers.graph.convolution import GraphSAGEConv as GraphSAGEConv
from nacre.layers.graph.message_passing import MessagePassing as MessagePassing
from nacre.layers.graph.pooling import GraphMaxPooling as GraphMaxPooling
from nacre.layers.graph.pooling import GraphMeanPooling as GraphMeanPooling
from nacre.layers.graph.pooling import GraphSumPooling as GraphSumPooling

__all__ = [
    "GATConv",
    "GCNConv",
    "GINConv",
    "GraphMaxPooling",
    "GraphMeanPooling",
    "GraphSAGEConv",
    "GraphSumPooling",
    "MessagePassing",
]
