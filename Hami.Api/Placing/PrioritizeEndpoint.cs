using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary><c>POST /prioritize</c> with <see cref="ExtenderMode.Score"/>: kube-scheduler's <c>HostPriorityList</c> for the nodes that fit.</summary>
/// <remarks>It has no place for an error: what cannot be read ranks nothing, and kube-scheduler's own preferences decide.</remarks>
internal static class PrioritizeEndpoint
{
    private static readonly BoundedBody Bodies = new(mostBytes: 64 << 20, largeAtOnce: 2);

    public static void MapPrioritize(this IEndpointRouteBuilder routes) => routes.MapPost("/prioritize", async (HttpContext http, ClusterView view, ILedgerReader log, AskReader asks) =>
    {
        try
        {
            using var body = await Bodies.ReadAsync(http.Request);
            var arguments = ExtenderArguments.Read(body.Bytes, view);
            var ranks = arguments is { Pod: { } pod, Offer: { } offer } && asks.Read(pod) is { Ask: { } ask } && ask.AsksCards()
                ? Rank(ask, offer, view, log.Ledger)
                : [];
            http.Response.ContentType = "application/json";
            Write(new Utf8JsonWriter(http.Response.BodyWriter), ranks);
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
        }
        catch (Exception e) when (e is JsonException or BodyRefusedException)
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync(e.Message, http.RequestAborted);
        }
    });

    /// <summary>The pod's own reservation is not what fills a node for it.</summary>
    private static IEnumerable<(string Host, int Score)> Rank(PodAsk ask, NodeOffer offer, ClusterView view, ClusterLedger ledger)
    {
        var own = view.ReservationOf(ask.Uid);
        var nodes = offer.Registered.ConvertAll(n => own is not null && own.Node == n.Name ? n.Without(own.Shares) : n);
        return nodes.Zip(NodeRanks.Of(ask, nodes, ledger.TermsFor(ask.Namespace).For(ask, view.LargestCardMiB)), (n, rank) => (n.Name, rank));
    }

    private static void Write(Utf8JsonWriter json, IEnumerable<(string Host, int Score)> ranks)
    {
        json.WriteStartArray();
        foreach (var (host, score) in ranks)
        {
            json.WriteStartObject();
            json.WriteString("Host"u8, host);
            json.WriteNumber("Score"u8, score);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.Flush();
    }
}
