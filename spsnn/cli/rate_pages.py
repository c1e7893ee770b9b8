"""Pictures of what rate-coded models learned, for the report."""

from __future__ import annotations

import torch

from spsnn import pictures

MOST = 1000  # samples that are drawn


def rate_figures(model, data):
    """``[(caption, Figure)]`` for a rate-coded model on a data set; nothing for a kind without pictures."""
    make = {
        "scn": _context, "spatial_prior": _prior, "rsgn": _ball, "rsgn_sparse": _ball, "rsgn_tuned": _ball,
        "neural_field": _field, "gated_field": _gated,
    }.get(model.kind)  # fmt: skip
    return [] if make is None else make(model, data)


def _context(model, data):
    events = getattr(data, "events", data)[:MOST]
    with torch.no_grad():
        x = model.features(events)
        active = (model.closeness(x) > model.settings.routing_threshold).numpy()
        weight = model.w.mean(1).numpy()
    figure = pictures.context_map(model.mu.detach().numpy(), weight, active, x.numpy(), events.labels, data.class_names)
    return [("Centroids among test samples, and how many neurons take part in one.", figure)]


def _prior(model, data):
    shown = []
    for pre, post, layer in model.synapses():
        figure = pictures.prior_map(layer.kernel.numpy(), layer.weights().detach().numpy(), title=f"{pre} to {post}")
        shown.append((f"Prior and effective weights from {pre} to {post}.", figure))
    return shown


def _ball(model, data):
    if model.settings.dim < 2:
        return []
    with torch.no_grad():
        x = model.features(getattr(data, "events", data)[:MOST])
        model.rates(x)
        places, sparks = model.space.project(model.position).numpy(), model.landings(x[:1])[0].numpy()
    figure = pictures.ball_map(places, model.node_activity(), sparks=sparks)
    return [("Nodes by their mean final activation over test samples, and where the first sample lands.", figure)]


def _field(model, data):
    events = getattr(data, "events", data)[:MOST]
    trace = model.trace(events)
    shown = [
        ("Magnitude of each node after the last step, mean over test samples.",
         pictures.sphere_map(trace["magnitude"], blocks=model.blocks)),
        ("Gain of each node.", pictures.sphere_map(trace["gain"], label="gain", blocks=model.blocks)),
        ("Mean rate of the motor sectors for each class.",
         pictures.motor_rates(trace["motor"], events.labels, data.class_names)),
    ]  # fmt: skip
    return shown + _over_time(trace)


def _gated(model, data):
    trace = model.trace(getattr(data, "events", data)[:MOST])
    shown = [
        ("Magnitude of each node after the last step, mean over test samples.",
         pictures.sphere_map(trace["magnitude"])),
        ("How far the gate of each node is open, mean over steps.", pictures.sphere_map(trace["gate"], label="gate")),
    ]  # fmt: skip
    return shown + _over_time(trace)


def _over_time(trace):
    """Phases and regions, where there is more than one step."""
    if len(trace["phase"]) == 1:
        return []
    return [
        ("Phases in the first test sample.", pictures.phase_evolution(trace["phase"], trace["coherence"])),
        ("Mean magnitude of each region.", pictures.region_curves(trace["regions"])),
    ]
