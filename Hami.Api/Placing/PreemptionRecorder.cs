using System.Threading.Channels;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing.Preempting;

namespace Hami.Api.Placing;

/// <summary>Takes plans of evictions without waiting.</summary>
internal interface IPreemptionLog
{
    void Record(RecordPreemption plan);
}

/// <summary>Writes plans to the log behind the answer's back.</summary>
internal sealed partial class PreemptionRecorder(Journal journal, SeenPods pods, TimeProvider time, ILogger<PreemptionRecorder> logger)
    : BackgroundService, IPreemptionLog
{
    private const int MostWaiting = 1000;

    // What is dropped when the log cannot keep up for long is said again by the pod's next attempt.
    private readonly Channel<RecordPreemption> _plans =
        Channel.CreateBounded<RecordPreemption>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    // Of this process only: after a restart the same plan may be written once more.
    private readonly Dictionary<string, PodEvent.PreemptionPlanned> _last = new(StringComparer.Ordinal);

    public void Record(RecordPreemption plan) => _plans.Writer.TryWrite(plan);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(RecordAsync, time, logger, stoppingToken);

    private async Task RecordAsync(CancellationToken stoppingToken)
    {
        await foreach (var plan in _plans.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await WriteAsync(plan, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Of this plan alone; the process goes on.
                LogLost(logger, plan.Ask.Namespace, plan.Ask.Name, e);
            }
        }
    }

    private async Task WriteAsync(RecordPreemption plan, CancellationToken cancellationToken)
    {
        var ask = plan.Ask;
        var before = _last.GetValueOrDefault(ask.Uid);
        var verdict = await journal.DecideUntilWrittenAsync(
            Streams.Pod(ask.Uid), ledger => RecordPreemptionDecider.Decide(plan, before, ledger),
            why => LogNotWritten(logger, ask.Namespace, ask.Name, why), time, cancellationToken);
        if (verdict.Events is [PodEvent.PreemptionPlanned planned])
            _last[ask.Uid] = planned;
        if (_last.Count > MostWaiting)
            ForgetOthers();
    }

    private void ForgetOthers()
    {
        foreach (var uid in _last.Keys.Where(uid => pods.Find(uid) is not { Node.Length: 0, IsTerminal: false }).ToList())
            _last.Remove(uid);
        // So many that still wait: better to say their plans again than to remember without bound.
        if (_last.Count > MostWaiting)
            _last.Clear();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The preemption planned for {Namespace}/{Pod} cannot be written.")]
    private static partial void LogLost(ILogger logger, string @namespace, string pod, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The preemption planned for {Namespace}/{Pod} is not written yet: {Why}")]
    private static partial void LogNotWritten(ILogger logger, string @namespace, string pod, string why);
}
