"""Lets tools that know only setup.py build evenhand (Beam does so on its workers); pyproject.toml says everything."""

from setuptools import setup

setup()
