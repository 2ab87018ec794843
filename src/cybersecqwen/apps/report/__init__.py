"""The report on a mapped file: one page to send on, and its figures in Markdown."""

from cybersecqwen.apps.report.html import HtmlReportWriter
from cybersecqwen.apps.report.markdown import MarkdownReportWriter

__all__ = ["HtmlReportWriter", "MarkdownReportWriter"]
