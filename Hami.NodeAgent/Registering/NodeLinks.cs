using System.Collections.Immutable;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Registering;

/// <summary>The pair scores to publish, where they are asked for.</summary>
internal sealed partial class NodeLinks(AgentOptions options, NvmlSession session, NodeComplaints complaints, TimeProvider time, ILogger<NodeLinks> log)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private (ImmutableArray<string> Uuids, PairScores Scores, long At)? last;
    private ImmutableArray<(string, string)> told = [];

    /// <summary>The annotation's text; null when none is to be published.</summary>
    public string? Text(ImmutableArray<Card> cards)
    {
        if (!options.TopologyScore || !session.Exists || cards.IsEmpty)
            return null;
        ImmutableArray<string> uuids = [.. cards.Select(c => c.Uuid)];
        if (last is not { } known || !known.Uuids.SequenceEqual(uuids) || time.GetElapsedTime(known.At) > Fresh)
            try
            {
                var scores = PairScores.Of(session.Ask(nvml => NvmlLinks.Look(nvml, uuids)));
                last = (uuids, scores, time.GetTimestamp());
                if (!scores.Asymmetric.IsEmpty && !scores.Asymmetric.SequenceEqual(told))
                    Complain(scores.Asymmetric);
                told = scores.Asymmetric;
            }
            catch (NvmlException e)
            {
                // What was known of the same cards is still true: links do not change while nobody can use them.
                LogUnread(e.Message);
            }
        return last is { } read && read.Uuids.SequenceEqual(uuids) ? NodeScores.Encode(uuids, read.Scores.Links) : null;
    }

    private void Complain(ImmutableArray<(string One, string Other)> pairs) => complaints.Tell(
        "AsymmetricGPUP2PLink",
        $"NVLinks are seen from one end only between {string.Join(", ", pairs.Select(p => $"{p.One} and {p.Other}"))}: these pairs score 0. See nvidia-smi nvlink --status, and reset the cards.");

    [LoggerMessage(LogLevel.Warning, "How the cards are connected could not be read: {Reason}")]
    private partial void LogUnread(string reason);
}
