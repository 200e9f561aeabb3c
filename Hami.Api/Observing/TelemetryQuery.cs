using GraphQL;
using Hami.Api.Access;
using Hami.Api.Observing;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>What all cards of the cluster do now, as far as their nodes' agents tell; null when none does.</summary>
    public static CardsUsage? ClusterUsage([FromServices] LiveTelemetry live, [FromServices] Asker asker)
    {
        if (!asker.Scope.Nodes)
            asker.MustSeeNodes("");
        return CardsUsage.Of(live.Nodes.SelectMany(n => live.NowOf(n.Name)));
    }

    /// <summary>Use over time, measured by node agents: of cards, or of what containers have of them.</summary>
    /// <param name="of">Whose use; of all cards when not given.</param>
    /// <param name="from">Where it begins; an hour before its end when not given. It is kept for 30 days; what begins before comes from Prometheus where one is set, and with the error PROMETHEUS and nothing known where that does not answer.</param>
    /// <param name="to">Where it ends; now when not given.</param>
    /// <param name="stepSeconds">Seconds from one point to the next: a multiple of 5 within the last 15 minutes, else of 300; so that there are at most 300 points when not given. At most 1,000 points.</param>
    public static Task<UsageTrend> UsageTrend(
        IResolveFieldContext field, [FromServices] TelemetryTrends trends, [FromServices] Asker asker, CancellationToken cancellationToken, UsageOf? of = null, DateTimeOffset? from = null,
        DateTimeOffset? to = null, int? stepSeconds = null)
    {
        of ??= new();
        asker.MustSee(of.Namespace);
        if (!of.IsOfShares && !asker.Scope.Nodes)
            asker.MustSeeNodes(of.Node ?? of.DeviceUuid ?? "");
        asker.Note("usageTrend", of.Namespace, from, to);
        return trends.ReadAsync(of, asker.Scope, from, to, stepSeconds, Tell, cancellationToken);

        void Tell(ExecutionError error)
        {
            error.Path = field.ResponsePath;
            lock (field.Errors)
                field.Errors.Add(error);
        }
    }
}
