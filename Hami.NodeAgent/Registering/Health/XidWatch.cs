using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>Waits for the driver's events, on a thread of its own: NVML blocks it.</summary>
internal sealed partial class XidWatch(NvmlSession session, AgentOptions options, HealthInbox inbox, LastXids last, TimeProvider time, ILogger<XidWatch> log) : BackgroundService
{
    // A stop waits for it.
    private static readonly TimeSpan OneWait = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan Again = TimeSpan.FromSeconds(30);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => session.Exists && !options.XidRules.Off
        ? UntilStopped.RunAsync(c => Task.Factory.StartNew(() => Listen(c), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), time, log, stoppingToken)
        : Task.CompletedTask;

    private void Listen(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            var cards = inbox.Cards;
            try
            {
                if (cards.IsEmpty || session.Ask(nvml => Follow(nvml, cards, stopping)))
                    stopping.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(100));
            }
            catch (NvmlException e)
            {
                inbox.Tell(new HealthNews.Doubt(e.Message));
                stopping.WaitHandle.WaitOne(OneWait);
            }
        }
    }

    private bool Follow(NvmlLibrary nvml, ImmutableArray<string> cards, CancellationToken stopping)
    {
        var set = nvml.CreateEventSet();
        try
        {
            var all = cards.Aggregate(true, (soFar, uuid) => Register(nvml, set, uuid) && soFar);
            var since = time.GetTimestamp();
            LogListening(cards.Length);
            while (!stopping.IsCancellationRequested && inbox.Cards == cards && (all || time.GetElapsedTime(since) < Again))
                if (nvml.Wait(set, OneWait) is { } happened)
                    Hear(nvml, happened);
            return true;
        }
        finally
        {
            Free(nvml, set);
        }
    }

    private bool Register(NvmlLibrary nvml, NvmlEventSet set, string uuid)
    {
        try
        {
            var device = nvml.ByUuid(uuid);
            var types = nvml.SupportedEvents(device) & (NvmlEventTypes.XidCritical | NvmlEventTypes.DoubleBitEcc | NvmlEventTypes.SingleBitEcc);
            if (types is not NvmlEventTypes.None)
                nvml.Register(device, types, set);
            if (types.HasFlag(NvmlEventTypes.XidCritical))
                last.Listen(uuid);
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotSupported)
        {
            // Too old to tell of errors; that is no illness.
        }
        catch (NvmlException e) when (e.Result is not (NvmlResult.Uninitialized or NvmlResult.DriverNotLoaded))
        {
            inbox.Tell(new HealthNews.Unwatched(uuid, e.Message));
            return false;
        }
        inbox.Tell(new HealthNews.Watched(uuid));
        return true;
    }

    private void Hear(NvmlLibrary nvml, NvmlEvent happened)
    {
        // Memory errors that the card corrected or contained; those it did not come as an XID too.
        if (happened.Type is not NvmlEventTypes.XidCritical)
            return;
        string uuid;
        try
        {
            uuid = nvml.Uuid(happened.Device);
        }
        catch (NvmlException e)
        {
            inbox.Tell(new HealthNews.Doubt($"a card that had XID {happened.Data} cannot tell which it is: {e.Message}"));
            return;
        }
        last.Hear(uuid, (int)happened.Data);
        LogXid(uuid, happened.Data, options.XidRules.Count((int)happened.Data));
        if (options.XidRules.Count((int)happened.Data))
            inbox.Tell(new HealthNews.Xid(uuid, (int)happened.Data, happened.GpuInstanceId, happened.ComputeInstanceId));
    }

    private static void Free(NvmlLibrary nvml, NvmlEventSet set)
    {
        try
        {
            nvml.Free(set);
        }
        catch (NvmlException)
        {
            // It went with the driver.
        }
    }

    [LoggerMessage(LogLevel.Debug, "Listening for errors of {Cards} cards")]
    private partial void LogListening(int cards);

    [LoggerMessage(LogLevel.Warning, "The card {DeviceUuid} had the error XID {Xid}; it counts against it: {Counts}")]
    private partial void LogXid(string deviceUuid, ulong xid, bool counts);
}
