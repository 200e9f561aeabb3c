using System.Globalization;
using System.Threading.Channels;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>What <c>kubectl describe</c> shows of the controllers' doings, correlated as client-go does: the same again is counted, too many alike are combined, too many at all are dropped.</summary>
internal sealed partial class ControllerEvents(LabControllersOptions options, ILogger<ControllerEvents> log)
{
    // client-go's EventCorrelator.
    private const int Alike = 10;
    private const int Burst = 25;
    private static readonly TimeSpan AlikeFor = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Refill = TimeSpan.FromMinutes(5);

    private readonly Channel<Told> _told = Channel.CreateBounded<Told>(new BoundedChannelOptions(5000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Dictionary<string, (string Name, int Count)> _written = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (HashSet<string> Messages, DateTimeOffset Last)> _alike = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (double Tokens, DateTimeOffset Last)> _allowance = new(StringComparer.Ordinal);
    private long _number;

    private sealed record Told(string Source, V1ObjectReference About, string Type, string Reason, string Message, DateTimeOffset At);

    public void Normal(string source, V1ObjectReference about, string reason, string message) => Tell(source, about, "Normal", reason, message);

    public void Warning(string source, V1ObjectReference about, string reason, string message) => Tell(source, about, "Warning", reason, message);

    /// <summary>Writes what is told until cancelled; an event the server does not take is logged and lost, as with real controllers.</summary>
    public async Task WriteAll(CancellationToken cancellationToken)
    {
        await foreach (var told in _told.Reader.ReadAllAsync(cancellationToken))
        {
            try
            {
                await Write(told, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                var sentence = Refusals.Sentence(e);
                NotWritten(log, told.About.NamespaceProperty, told.About.Name, sentence);
            }
        }
    }

    private void Tell(string source, V1ObjectReference about, string type, string reason, string message) =>
        _told.Writer.TryWrite(new(source, about, type, reason, message, options.Time.GetUtcNow()));

    private async Task Write(Told told, CancellationToken cancellationToken)
    {
        // Long-lived labs must not remember every object there ever was.
        if (_written.Count > 4096)
            _written.Clear();
        var group = $"{told.Source} {told.About.Uid} {told.Type} {told.Reason}";
        var message = told.Message;
        if (IsOneOfTooManyAlike(group, told))
            message = $"(combined from similar events): {message}";
        else
            group += $" {message}";
        if (!IsAllowed($"{told.Source} {told.About.Uid}", told.At))
            return;

        var @namespace = told.About.NamespaceProperty is { Length: > 0 } own ? own : "default";
        if (_written.TryGetValue(group, out var before))
        {
            _written[group] = before with { Count = before.Count + 1 };
            var patch = new { count = before.Count + 1, lastTimestamp = told.At.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture), message };
            try
            {
                await options.Kubernetes.CoreV1.PatchNamespacedEventAsync(
                    new V1Patch(patch, V1Patch.PatchType.StrategicMergePatch), before.Name, @namespace, cancellationToken: cancellationToken);
                return;
            }
            catch (HttpOperationException e) when (e.Response.StatusCode is System.Net.HttpStatusCode.NotFound)
            {
                // It has expired; told anew.
            }
        }
        // client-go's name: the object's, and the time in nanoseconds as hexadecimal.
        var name = $"{told.About.Name}.{((told.At - DateTimeOffset.UnixEpoch).Ticks * 100) + (_number++ % 100):x}";
        _written[group] = (name, 1);
        await options.Kubernetes.CoreV1.CreateNamespacedEventAsync(
            new Corev1Event
            {
                ApiVersion = "v1",
                Kind = "Event",
                Metadata = new() { Name = name, NamespaceProperty = @namespace },
                InvolvedObject = told.About,
                Type = told.Type,
                Reason = told.Reason,
                Message = message,
                Source = new() { Component = told.Source },
                ReportingComponent = told.Source,
                FirstTimestamp = told.At.Stamp(),
                LastTimestamp = told.At.Stamp(),
                Count = 1,
            },
            @namespace,
            cancellationToken: cancellationToken);
    }

    private bool IsOneOfTooManyAlike(string group, Told told)
    {
        var (messages, last) = _alike.GetValueOrDefault(group, ([], told.At));
        if (told.At - last > AlikeFor)
            messages.Clear();
        // Ten are too many, whichever comes next.
        if (messages.Count < Alike)
            messages.Add(told.Message);
        _alike[group] = (messages, told.At);
        if (_alike.Count > 4096)
            _alike.Clear();
        return messages.Count >= Alike;
    }

    private bool IsAllowed(string from, DateTimeOffset now)
    {
        var (tokens, last) = _allowance.GetValueOrDefault(from, (Burst, now));
        tokens = Math.Min(Burst, tokens + ((now - last) / Refill));
        var allowed = tokens >= 1;
        if (_allowance.Count > 4096)
            _allowance.Clear();
        _allowance[from] = (allowed ? tokens - 1 : tokens, now);
        return allowed;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "An event of {Namespace}/{Name} was not taken: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string @namespace, string name, string sentence);
}
