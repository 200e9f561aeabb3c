using System.Globalization;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Lab.Cluster;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Bench.History;

/// <summary>Questions about a long history, at random moments of it and about random pods and cards.</summary>
internal sealed class HistoryQuestions(NpgsqlDataSource database, ControlPlane api, int seed)
{
    private const int WarmUps = 20;
    private readonly Random _chance = new(seed);

    /// <summary>A page of a namespace's allocations in six hours.</summary>
    public async Task<Spans> PagesAsync(int questions, CancellationToken ct)
    {
        var namespaces = await ColumnAsync($"select distinct namespace from {ReadTables.Allocations} order by 1", ct);
        var (from, to) = await TimeAsync(ct);
        return await Spans.OfAsync(WarmUps, questions, async _ =>
        {
            var at = Any(from, to);
            var rows = (await api.QueryAsync(
                "query($in: String!, $from: DateTimeOffset!, $to: DateTimeOffset!) { allocations(filter: { namespace: $in, from: $from, to: $to }) { items { id pod node placedAt boundAt releasedAt releaseReason memoryMiB cores } pageInfo { endCursor } } }",
                ct, new { @in = namespaces[_chance.Next(namespaces.Count)], from = at, to = at.AddHours(6) }))["allocations"]!["items"]!.AsArray();
            if (rows.Count == 0)
                throw new InvalidOperationException("A namespace had no allocation in six hours.");
        });
    }

    /// <summary>Why a pod is where it is: one that holds cards, one that is gone, one that waits, and so on; by UID or by name.</summary>
    public async Task<Spans> ExplainAsync(int questions, CancellationToken ct)
    {
        var live = await PodsAsync($"{ReadTables.Allocations} where released_at is null", ct);
        var ended = await PodsAsync($"{ReadTables.Allocations} where released_at is not null and md5(id::text) < '01'", ct);
        var waiting = await PodsAsync($"{ReadTables.Refusals} where ended_at is null", ct);
        List<string>[] pods = [.. new[] { live, ended, waiting }.Where(p => p.Count > 0)];
        return await Spans.OfAsync(WarmUps, questions, async i =>
        {
            var some = pods[i % pods.Length];
            var explained = (await api.QueryAsync("query($pod: String!) { explain(pod: $pod) { standing steps { what } whyThere whyNot wouldFit } }", ct, new { pod = some[_chance.Next(some.Count)] }))["explain"];
            if (explained is null)
                throw new InvalidOperationException("A pod of the history is not known.");
        });
    }

    /// <summary>The whole cluster at a moment.</summary>
    public async Task<Spans> ClusterAtAsync(int questions, CancellationToken ct)
    {
        var (from, to) = await TimeAsync(ct);
        return await Spans.OfAsync(2, questions, _ => api.QueryAsync(
            "query($at: DateTimeOffset!) { clusterAt(time: $at) { position nodes { name cards { uuid usedMemoryMiB usedSlots } } waiting { pod } } }", ct, new { at = Any(from, to) }));
    }

    /// <summary>Who held a card in a day: <c>hami-api audit who</c>, without the start of its process.</summary>
    public async Task<Spans> WhoAsync(int questions, CancellationToken ct)
    {
        var cards = await ColumnAsync($"select uuid from {ReadTables.Devices} order by 1", ct);
        var (from, to) = await TimeAsync(ct);
        using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
        var history = new LedgerHistory(database, new(), new KeptCheckpoints(checkpoints));
        return await Spans.OfAsync(WarmUps, questions, async _ =>
        {
            var at = Any(from, to);
            await history.WhoHeldAsync(cards[_chance.Next(cards.Count)], at, at.AddDays(1), ct);
        });
    }

    private DateTimeOffset Any(DateTimeOffset from, DateTimeOffset to) => from + ((to - from) * _chance.NextDouble());

    private async Task<(DateTimeOffset From, DateTimeOffset To)> TimeAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand($"select min(placed_at), max(placed_at) from {ReadTables.Allocations}");
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        return (row.GetFieldValue<DateTimeOffset>(0), row.GetFieldValue<DateTimeOffset>(1));
    }

    private Task<List<string>> PodsAsync(string from, CancellationToken ct) =>
        ColumnAsync(string.Create(CultureInfo.InvariantCulture, $"select case when md5(pod_uid) < '8' then pod_uid else namespace || '/' || pod end from {from} order by md5(pod_uid) limit 2000"), ct);

    private async Task<List<string>> ColumnAsync(string sql, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync(ct);
        var column = new List<string>();
        while (await rows.ReadAsync(ct))
            column.Add(rows.GetString(0));
        return column;
    }
}
