using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hami.NodeAgent.Plumbing;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.NodeAgent.Registering;

/// <summary>Tells whoever looks after the node, as a warning event on it; within an hour the same event counts up.</summary>
internal sealed partial class NodeComplaints(IKubernetes kubernetes, AgentOptions options, TimeProvider time, ILogger<NodeComplaints> log)
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
        var node = await kubernetes.CoreV1.ReadNodeAsync(options.NodeName, cancellationToken: cancellation);
        var now = time.GetUtcNow().UtcDateTime;
        // The same name for the same story, so that none has to be looked for: also after a start of the agent.
        var name = $"{options.NodeName}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{node.Uid()}/{reason}")))[..16]}";
        var said = new Corev1Event
        {
            Metadata = new() { Name = name, NamespaceProperty = Namespace },
            InvolvedObject = new() { ApiVersion = "v1", Kind = "Node", Name = options.NodeName, Uid = node.Uid() },
            Reason = reason,
            Message = sentence.Length <= 1024 ? sentence : sentence[..1024],
            Type = "Warning",
            Source = new() { Component = "hami-node-agent", Host = options.NodeName },
            FirstTimestamp = now,
            LastTimestamp = now,
            Count = 1,
        };
        try
        {
            await kubernetes.CoreV1.CreateNamespacedEventAsync(said, Namespace, cancellationToken: cancellation);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict)
        {
            var earlier = await kubernetes.CoreV1.ReadNamespacedEventAsync(name, Namespace, cancellationToken: cancellation);
            if (earlier.LastTimestamp is { } at && now - at < OneStory)
                (said.FirstTimestamp, said.Count) = (earlier.FirstTimestamp, (earlier.Count ?? 1) + 1);
            said.Metadata.ResourceVersion = earlier.ResourceVersion();
            await kubernetes.CoreV1.ReplaceNamespacedEventAsync(said, name, Namespace, cancellationToken: cancellation);
        }
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "{Sentence} (The event on the node could not be written: {Reason})")]
    private partial void LogUnsaid(string sentence, string reason);
}
