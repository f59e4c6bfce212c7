"""Train a reranker by a recipe: any student, any loss, on samples that mine or distil wrote.

A recipe is one of the package (--list) or a TOML file. The output folder is the model with its card; in its folder
``training`` are the recipe, checkpoints, metrics, manifest, the gate's verdict and a report. Several GPUs:
``torchrun --nproc-per-node N -m shortlist train ...``. Exit status 4: trained, but the gate did not accept it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from ..core.errors import ConfigError
from ._training import add_training, carry_out, recipe_of


class _List(argparse.Action):
    """Prints the recipes and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from ..train.recipe import available_recipes, read_recipe

        for name in available_recipes():
            recipe = read_recipe(name)
            print(f"{name:24s} {recipe.student.base!s:36s} {recipe.summary}")
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("samples", nargs="*", metavar="FILE", help="training files instead of the recipe's; see `shortlist mine`")
    add("--licence", action="append", default=[], metavar="NAME", help="of each FILE, for the card")
    add("--config", required=True, metavar="RECIPE", help="name of a recipe, or a TOML file")
    add("--list", action=_List, nargs=0, help="list the recipes and end")
    add_training(parser)


def run(args: argparse.Namespace) -> int:
    from ..train.recipe import Data

    recipe = recipe_of(args, args.config)
    if args.licence and not args.samples:
        raise ConfigError(
            "--licence is of the training FILEs of the command line, and none is given; name them, or write the "
            "licence beside the path in the recipe's [[data]]"
        )
    if args.licence and len(args.licence) != len(args.samples):
        raise ConfigError(f"{len(args.licence)} licences for {len(args.samples)} training files; give one each")
    if args.samples:
        licences = args.licence or [""] * len(args.samples)
        recipe = replace(recipe, data=tuple(Data(*row) for row in zip(args.samples, licences, strict=True)))
    return carry_out(args, recipe)
