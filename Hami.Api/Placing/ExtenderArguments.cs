using System.Text.Json;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Placing;

/// <summary>kube-scheduler's <c>ExtenderArgs</c>: a pod and the nodes it may go to.</summary>
internal sealed record ExtenderArguments(PodJson? Pod, NodeOffer? Offer)
{
    /// <summary>Reads a request body; member names match in any casing.</summary>
    /// <exception cref="JsonException">It is no such JSON; the message says why.</exception>
    public static ExtenderArguments Read(ReadOnlyMemory<byte> body, ClusterView view)
    {
        try
        {
            return ReadMembers(body, view);
        }
        catch (InvalidOperationException e)
        {
            // An escaped surrogate without its other half; the reader says so in this way only.
            throw new JsonException("a name in the request is no Unicode text", e);
        }
    }

    private static ExtenderArguments ReadMembers(ReadOnlyMemory<byte> body, ClusterView view)
    {
        var reader = new Utf8JsonReader(body.Span);
        PodJson? pod = null;
        NodeOffer? names = null, objects = null;
        reader.Read();
        if (reader.TokenType is not JsonTokenType.Null)
        {
            JsonMembers.Each(ref reader, "the request", (ref Utf8JsonReader value, string member) =>
            {
                if (value.TokenType is JsonTokenType.Null)
                    return;
                if (member.Equals("Pod", StringComparison.OrdinalIgnoreCase))
                    pod = JsonSerializer.Deserialize(ref value, WireJson.Default.PodJson);
                else if (member.Equals("NodeNames", StringComparison.OrdinalIgnoreCase))
                    names = NodeOffer.ReadNames(ref value, view);
                else if (member.Equals("Nodes", StringComparison.OrdinalIgnoreCase))
                    objects = NodeOffer.ReadObjects(ref value, body, view);
                else
                    value.Skip();
            });
        }
        // What follows the object makes the body no JSON.
        while (reader.Read())
        {
        }
        return new(pod, names ?? objects);
    }
}
