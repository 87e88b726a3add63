"""Reads a table's stream, as Lambda does."""

from random import Random
from typing import Any

import boto3


class TableStream:
    """A reader that starts at the end of the stream and continues after the last record that it read."""

    def __init__(self, url: str, table: str, key: str = "local") -> None:
        session = boto3.Session(key, key, region_name="us-east-1")
        self._client = session.client("dynamodbstreams", endpoint_url=url)
        stream = session.client("dynamodb", endpoint_url=url).describe_table(TableName=table)["Table"][
            "LatestStreamArn"
        ]
        (shard,) = self._client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        self._iterator = self._client.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
        )["ShardIterator"]
        self.count = 0  # the number of records that were read

    def incidents(self) -> list[dict[str, Any]]:
        """Return the records of incidents since the last call, in order.

        The filters in the template give the functions the same records.
        """
        return [one for one in self.records() if one["dynamodb"]["Keys"]["pk"]["S"].endswith("#INCIDENT")]

    def records(self) -> list[dict[str, Any]]:
        """Return all records since the last call, in order."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._client.get_records(ShardIterator=self._iterator)
            self._iterator = answer["NextShardIterator"]
            if not answer["Records"]:
                self.count += len(found)
                return found
            found += answer["Records"]


def shuffled(
    records: list[dict[str, Any]], random: Random, count: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return so many records in a random order, and the other records. The records of an item keep their order."""
    by_item: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_item.setdefault(record["dynamodb"]["Keys"]["sk"]["S"], []).append(record)
    batch = [by_item[random.choice([name for name, left in by_item.items() if left])].pop(0) for _ in range(count)]
    return batch, [record for left in by_item.values() for record in left]
