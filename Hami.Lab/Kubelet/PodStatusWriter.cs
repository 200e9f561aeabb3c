using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>Writes one pod's status whenever it changed; several changes at once become one write.</summary>
internal sealed partial class PodStatusWriter : IAsyncDisposable
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    // Conditions are merged field by field, so what does not hold any more has to be named.
    private static readonly JsonSerializerOptions Writing = ClientJson.With(info =>
    {
        foreach (var property in info.Properties.Where(p => info.Type == typeof(V1PodCondition) && p.Name is ("reason" or "message")))
            property.ShouldSerialize = static (_, _) => true;
    });

    private readonly BareApi _api;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Func<V1Pod> _pod;
    private readonly Func<V1PodStatus> _report;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private string? _written;

    public PodStatusWriter(IKubernetes kubernetes, TimeProvider time, ILogger log, Func<V1Pod> pod, Func<V1PodStatus> report)
    {
        _api = new((Kubernetes)kubernetes);
        _time = time;
        _log = log;
        _pod = pod;
        _report = report;
        _loop = Task.Run(WriteChanges);
    }

    public void Changed() => _changes.Writer.TryWrite(true);

    /// <summary>Writes now, whatever is waiting. False when the server did not take it and may later.</summary>
    public async Task<bool> Write()
    {
        var pod = _pod();
        var status = JsonSerializer.Serialize(_report(), Writing);
        if (status == _written)
            return true;
        // The uid is a precondition: another pod of the same name must not get this one's status.
        var patch = $$"""{"metadata":{"uid":{{JsonSerializer.Serialize(pod.Metadata.Uid)}}},"status":{{status}}}""";
        try
        {
            var (code, said) = await _api.Send(
                HttpMethod.Patch, $"/api/v1/namespaces/{pod.Metadata.NamespaceProperty}/pods/{pod.Metadata.Name}/status", BareApi.StrategicPatch, patch, CancellationToken.None);
            // The pod is gone, or another one took its name: nobody to tell.
            if (code is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
                return true;
            if ((int)code < 400)
            {
                _written = status;
                return true;
            }
            NotWritten(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, said);
        }
        catch (Exception e)
        {
            // Whatever it is, the last word about a pod must not be lost with it.
            NotWritten(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, e.Message);
        }
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        if (_changes.Writer.TryComplete())
            await _stop.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WriteChanges()
    {
        await foreach (var _ in _changes.Reader.ReadAllAsync(_stop.Token))
        {
            while (!await Write())
                await Task.Delay(Rest, _time, _stop.Token);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take the status of {Namespace}/{Pod}, it is tried again: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string @namespace, string pod, string sentence);
}
