using System.Diagnostics;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Bench.Journaling;

/// <summary>Places pods through the product's own journal.</summary>
internal sealed class JournalRun(int callers, TimeSpan length)
{
    private const int Nodes = 1000;
    private const int WarmUps = 2000;
    private int _pods;

    public async Task<JournalReport> MeasureAsync(CancellationToken ct)
    {
        await using var postgres = await TemporaryPostgres.StartAsync(ct);
        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
        await using var writer = await RunningJournal.StartAsync(postgres.ConnectionString, ct);
        var journal = writer.Journal;
        await Task.WhenAll(Enumerable.Range(0, Nodes).Select(n => journal.DecideAsync<NodeEvent>(
            Streams.Node(Name(n)), _ => new NodeEvent.DevicesRegistered(Name(n), [.. Enumerable.Range(0, 8).Select(i => Card(n, i))]), ct)));

        await RunAsync(journal, callers, until => until.Calls >= WarmUps, ct);
        var before = journal.Ledger.EventCount;
        var single = await RunAsync(journal, 1, until => until.Elapsed >= length, ct);
        var committed = writer.Commits;
        var group = await RunAsync(journal, callers, until => until.Elapsed >= length, ct);
        var commits = writer.Commits - committed;
        var looked = await Database.LookAsync(database, ct);
        var followed = await FollowAsync(writer, postgres.ConnectionString, ct);
        var copied = await CopyAsync(database, before, ct);
        return new(
            single.PerSecond, single.At(0.5), single.At(0.99), group.PerSecond, group.At(0.5), group.At(0.99), followed.At(0.5), followed.At(0.99), copied.PerSecond,
            (double)group.Calls / commits, copied.Bytes, looked.Version, looked.Fsync, looked.SynchronousCommit);
    }

    /// <summary>How long after the answer another process knows of a placement.</summary>
    private async Task<Times> FollowAsync(RunningJournal writer, string connectionString, CancellationToken ct)
    {
        await using var follower = await RunningJournal.StartAsync(connectionString, ct);
        var times = new Times();
        while (times.Elapsed < length)
        {
            await TimeAsync(new Times(), Place(writer.Journal, ct));
            var began = Stopwatch.GetTimestamp();
            await follower.ReachedAsync(writer.Journal.Ledger.Position, ct);
            times.Add(Stopwatch.GetElapsedTime(began));
        }
        times.Stop();
        return times;
    }

    /// <summary>Every caller places one pod after another: one event each.</summary>
    private async Task<Times> RunAsync(Journal journal, int together, Func<Times, bool> isOver, CancellationToken ct)
    {
        var times = new Times();
        await Task.WhenAll(Enumerable.Range(0, together).Select(_ => Task.Run(
            async () =>
            {
                while (!isOver(times))
                    await TimeAsync(times, Place(journal, ct));
            },
            ct)));
        times.Stop();
        return times;
    }

    private static async Task TimeAsync(Times times, Task<Verdict<NodeEvent>> call)
    {
        var began = Stopwatch.GetTimestamp();
        var verdict = await call;
        if (verdict.Events.Count != 1)
            throw new InvalidOperationException($"The journal refused a placement, so the cluster is full; measure for a shorter time: {verdict.Refusal?.Reason}");
        times.Add(Stopwatch.GetElapsedTime(began));
    }

    private Task<Verdict<NodeEvent>> Place(Journal journal, CancellationToken ct)
    {
        var pod = Interlocked.Increment(ref _pods);
        var (node, uid) = (Name(pod % Nodes), $"3f0e{pod:x28}");
        var ask = new PodAsk(uid, "team-a", "train-7d9c5b6f4-x2x8z", [new("main", false, 1, 100, 0, 0)], CardWish.Any, NodePolicy.Binpack, new("spread"));
        var command = new PlaceAllocation(Guid.CreateVersion7(), ask, node, Nodes, [new("gpu-node-0001", 4.2m)], []);
        return journal.DecideAsync(Streams.Node(node), ledger => PlaceAllocationDecider.Decide(command, ledger), ct);
    }

    /// <summary>The floor: the same rows into a plain table, in commits of 64, with nothing decided or checked.</summary>
    private static async Task<(double PerSecond, long Bytes)> CopyAsync(NpgsqlDataSource database, long from, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var rows = new List<(long, string, string, string)>();
        await using (var read = new NpgsqlCommand($"select seq_id, stream_id, type, data::text from {MartenSetup.Schema}.mt_events where seq_id > {from} order by seq_id limit 40000", connection))
        await using (var row = await read.ExecuteReaderAsync(ct))
        {
            while (await row.ReadAsync(ct))
                rows.Add((row.GetInt64(0), row.GetString(1), row.GetString(2), row.GetString(3)));
        }
        await using (var create = new NpgsqlCommand("create table floor (seq_id bigint primary key, stream_id text, type text, data jsonb, at timestamptz)", connection))
            await create.ExecuteNonQueryAsync(ct);
        var began = Stopwatch.GetTimestamp();
        foreach (var group in rows.Chunk(64))
        {
            await using var copy = await connection.BeginBinaryImportAsync("copy floor from stdin (format binary)", ct);
            foreach (var (position, stream, type, data) in group)
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(position, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync(stream, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(type, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(data, NpgsqlDbType.Jsonb, ct);
                await copy.WriteAsync(DateTimeOffset.UnixEpoch, NpgsqlDbType.TimestampTz, ct);
            }
            await copy.CompleteAsync(ct);
        }
        return (rows.Count / Stopwatch.GetElapsedTime(began).TotalSeconds, rows.Sum(r => (long)r.Item4.Length) / Math.Max(1, rows.Count));
    }

    private static string Name(int n) => $"gpu-node-{n:d4}";

    private static Card Card(int node, int i) => new($"GPU-{node:x8}-0000-4000-8000-{i:x12}", i, "NVIDIA A100-SXM4-80GB", 81920, 800, 100, i / 4, "hami-core", true);

    /// <summary>What calls took.</summary>
    private sealed class Times
    {
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private readonly List<double> _all = [];

        public TimeSpan Elapsed => _watch.Elapsed;

        public int Calls
        {
            get
            {
                lock (_all)
                    return _all.Count;
            }
        }

        public double PerSecond => Calls / _watch.Elapsed.TotalSeconds;

        public void Add(TimeSpan took)
        {
            lock (_all)
                _all.Add(took.TotalMilliseconds);
        }

        public void Stop()
        {
            _watch.Stop();
            _all.Sort();
        }

        public double At(double part) => _all[(int)Math.Min(_all.Count - 1, Math.Ceiling(_all.Count * part) - 1)];
    }
}
