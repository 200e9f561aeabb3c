using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Reading;

namespace Hami.Api.Observing;

/// <summary>Reads use over a time that is longer ago than it is kept here, from Prometheus.</summary>
internal sealed class PrometheusTrends(PrometheusClient prometheus, Rows rows)
{
    private const int MostPods = 200;

    /// <summary>One point for each step; what Prometheus does not know is null.</summary>
    /// <exception cref="PrometheusException">It did not answer as it should.</exception>
    public async Task<IReadOnlyList<UsagePoint>> ReadAsync(UsageOf of, Scope scope, DateTimeOffset from, DateTimeOffset to, TimeSpan step, CancellationToken cancellationToken)
    {
        var count = (int)((to - from + step - TimeSpan.FromTicks(1)) / step);
        var pods = (of.PodUid ?? of.OwnerName) is null ? null : await PodsAsync(of, scope, from, to, cancellationToken);
        if (await SeriesAsync(of, scope, pods, cancellationToken) is not { } series)
            return [.. Enumerable.Range(0, count).Select(i => Nothing(from + i * step))];
        var queries = new PrometheusQueries(series, step);
        var (busy, busyMax, memory, memoryMax, known) = (AskAsync(queries.Busy), AskAsync(queries.BusyMax), AskAsync(queries.Memory), AskAsync(queries.MemoryMax), AskAsync(queries.Series));
        // Nobody measures these of a share.
        var (temperature, power, energy) = of.IsOfShares ? (null, null, null) : (AskAsync(queries.Temperature), AskAsync(queries.Power), AskAsync(queries.Energy));
        await Task.WhenAll(((Task?[])[busy, busyMax, memory, memoryMax, known, temperature, power, energy]).OfType<Task>());
        return [.. Enumerable.Range(0, count).Select(i => from + i * step).Select((at, i) => IsThere(at) ? new(
            at, busy.Result[i], (int?)busyMax.Result[i], memory.Result[i] / Usage.BytesOfMiB, memoryMax.Result[i] / Usage.BytesOfMiB,
            (int?)temperature?.Result[i], power?.Result[i], energy?.Result[i], (int?)known.Result[i]) : Nothing(at))];

        // A value tells of the step before its moment.
        Task<double?[]> AskAsync(string query) => prometheus.RangeAsync(query, from + step, step, count, cancellationToken);

        // Another pod may have had the name before it, or after.
        bool IsThere(DateTimeOffset at) => of.PodUid is null || pods!.Exists(p => p.PlacedAt < at + step && (p.ReleasedAt is null || p.ReleasedAt > at));
    }

    private static UsagePoint Nothing(DateTimeOffset at) => new(at, null, null, null, null, null, null, null, null);

    /// <summary>The series that are meant, of those that the asker sees; null where there can be none.</summary>
    private async Task<ScrapedSeries?> SeriesAsync(UsageOf of, Scope scope, List<NamedPod>? pods, CancellationToken cancellationToken)
    {
        string[]? cards = of.DeviceUuid is { } card ? [card] : null;
        if (!of.IsOfShares)
            return new(false, of.Node, cards);
        var namespaces = pods?.Select(p => p.Namespace).Distinct(StringComparer.Ordinal).ToArray()
            ?? (of.Namespace is { } one ? [one] : scope.AllNamespaces ? null : scope.Namespaces.Order(StringComparer.Ordinal).ToArray());
        // The metrics of shares have no label for the node.
        if (of.Node is { } node)
        {
            var conditions = new Conditions().And("d.node = ?", node).And("d.uuid = ?", of.DeviceUuid);
            cards = [.. await rows.ReadAsync($"select d.uuid from {ReadTables.Devices} d {conditions.Where} order by d.uuid", conditions, r => r.GetString(0), cancellationToken)];
        }
        var names = pods?.Select(p => p.Pod).Distinct(StringComparer.Ordinal).ToArray();
        return namespaces is [] || cards is [] || names is [] ? null : new(true, null, cards, namespaces, names, of.Container);
    }

    private async Task<List<NamedPod>> PodsAsync(UsageOf of, Scope scope, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        var conditions = new Conditions()
            .And("a.pod_uid = ?", of.PodUid).And("a.namespace = ?", of.Namespace).And("a.owner_kind = ?", of.OwnerKind).And("a.owner_name = ?", of.OwnerName)
            .And("a.namespace = any(?)", scope.AllNamespaces ? null : scope.Namespaces.ToArray())
            .And("a.placed_at < ?", to).And("(a.released_at > ? or a.released_at is null)", from);
        var pods = await rows.ReadAsync(
            $"select a.namespace, a.pod, a.placed_at, a.released_at from {ReadTables.Allocations} a {conditions.Where} order by a.placed_position limit {MostPods + 1}", conditions,
            r => new NamedPod(r.GetString(0), r.GetString(1), r.GetFieldValue<DateTimeOffset>(2), r.IsDBNull(3) ? null : r.GetFieldValue<DateTimeOffset>(3)), cancellationToken);
        return pods.Count <= MostPods
            ? pods
            : throw new ExecutionError($"These are more than {MostPods} pods, too many to ask Prometheus for: ask for a shorter time, or for the namespace.") { Code = "TOO_LONG" };
    }

    private sealed record NamedPod(string Namespace, string Pod, DateTimeOffset PlacedAt, DateTimeOffset? ReleasedAt);
}
