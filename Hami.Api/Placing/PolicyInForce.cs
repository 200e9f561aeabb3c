using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>The policy that the log says is in force; before it says one, the one this process was started with.</summary>
internal sealed class PolicyInForce(ILedgerReader log, PlacementPolicy started)
{
    private volatile Read _read = new(null, started);

    public PlacementPolicy Now
    {
        get
        {
            var said = log.Ledger.Policy;
            var read = _read;
            if (!ReferenceEquals(read.Said, said))
                _read = read = new(said, said is null ? started : Parse(said));
            return read.Policy;
        }
    }

    private PlacementPolicy Parse(Domain.Ledger.PolicyInForce said) =>
        new(NodePolicies.TryParse(said.NodePolicy) ?? started.Nodes, CardPolicy.TryParse(said.GpuPolicy) ?? started.Cards);

    private sealed record Read(Domain.Ledger.PolicyInForce? Said, PlacementPolicy Policy);
}

/// <summary>Puts the policy this process was started with into the log, unless it stands there.</summary>
internal sealed partial class PolicyFromFlags(Journal journal, FollowedLog log, PlacementPolicy started, TimeProvider time, ILogger<PolicyFromFlags> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(WriteAsync, time, logger, stoppingToken);

    private async Task WriteAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        await log.ForEachAsync(
            token => journal.DecideUntilWrittenAsync(
                Streams.Policy, ledger => ChangePolicyDecider.Decide(new(started, "hami-api serve, by its flags"), ledger),
                why => LogNotWritten(logger, why), time, token),
            stoppingToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The policy of the flags is not in the log yet: {Why}")]
    private static partial void LogNotWritten(ILogger logger, string why);
}
