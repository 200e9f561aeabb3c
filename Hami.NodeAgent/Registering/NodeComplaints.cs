using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Registering;

/// <summary>Tells whoever looks after the node, as a warning event on it; within an hour the same event counts up.</summary>
internal sealed partial class NodeComplaints(ApiServerClient api, AgentOptions options, TimeProvider time, ILogger<NodeComplaints> log)
{
    // Events of nodes have no namespace of their own; HAMi's and the kubelet's stand here.
    private const string Namespace = "default";

    private static readonly TimeSpan OneStory = TimeSpan.FromHours(1);

    private Task last = Task.CompletedTask;

    /// <summary>Written in the background, once: who repeats it is not held up, and an event that is lost is no harm.</summary>
    public void Tell(string reason, string sentence) => last = TellAfter(last, reason, sentence);

    private async Task TellAfter(Task before, string reason, string sentence)
    {
        await before;
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(10), c => Write(reason, sentence, c), CancellationToken.None);
        }
        catch (Exception e) when (Outage.Is(e, CancellationToken.None))
        {
            LogUnsaid(sentence, e.Message);
        }
    }

    private async Task<bool> Write(string reason, string sentence, CancellationToken cancellation)
    {
        var node = await api.ReadNodeAsync(options.NodeName, cancellation);
        var now = time.GetUtcNow();
        // The same name for the same story, so that none has to be looked for: also after a start of the agent.
        var name = $"{options.NodeName}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{node.Metadata.Uid}/{reason}")))[..16]}";
        var said = Event.Warning(new(name, Namespace), new("Node", options.NodeName, null, node.Metadata.Uid), reason, sentence, options.NodeName, now);
        try
        {
            await api.CreateEventAsync(said, cancellation);
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.Conflict)
        {
            var earlier = await api.ReadEventAsync(Namespace, name, cancellation);
            if (earlier.LastTimestamp is { } at && now - at < OneStory)
                said = said with { FirstTimestamp = earlier.FirstTimestamp, Count = (earlier.Count ?? 1) + 1 };
            await api.ReplaceEventAsync(said with { Metadata = earlier.Metadata }, cancellation);
        }
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "{Sentence} (The event on the node could not be written: {Reason})")]
    private partial void LogUnsaid(string sentence, string reason);
}
