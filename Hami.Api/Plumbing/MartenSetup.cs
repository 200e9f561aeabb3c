using Hami.Domain.Ledger;
using JasperFx;
using JasperFx.Events;
using JasperFx.Events.Daemon;
using Hami.Api.Reading;
using JasperFx.Events.Projections;
using Marten;
using Marten.Events.Daemon.Coordination;
using Weasel.Core;

namespace Hami.Api.Plumbing;

/// <summary>The event store: names under which events are stored, and how strictly projections read them.</summary>
internal static class MartenSetup
{
    public const string Schema = "hami";

    public static void AddEventStore(this IServiceCollection services, string connectionString)
    {
        services.AddMarten(options => Configure(options, connectionString)).UseLightweightSessions();
        services.AddSingleton<ProjectionCoordinator>();
        services.AddHostedService<ProjectionHost>();
    }

    internal static void Configure(StoreOptions options, string connectionString)
    {
        options.Connection(connectionString);
        options.DatabaseSchemaName = Schema;
        options.AutoCreateSchemaObjects = AutoCreate.All;
        options.UseSystemTextJsonForSerialization(EnumStorage.AsString, Casing.CamelCase, json => json.IgnoreReadOnlyProperties = true);

        options.Events.StreamIdentity = StreamIdentity.AsString;
        // Despite its name: the mode that keeps the time we set on an event. Plain Quick takes the database's.
        options.Events.AppendMode = EventAppendMode.QuickWithServerTimestamps;
        options.Events.MetadataConfig.HeadersEnabled = true;
        options.Events.UseAdvisoryLockTransaction = true;
        // It would drop what it does not know.
        options.Events.IgnoreIndex(JournalTables.AllocationIndex);
        NameEvents(options);

        // A read model that skips what it cannot read is wrong without saying so.
        options.Projections.AsyncMode = DaemonMode.HotCold;
        options.Projections.Add(new ReadModelsProjection(), ProjectionLifecycle.Async, ReadModelsProjection.Name, daemon => daemon.BatchSize = 2000);
        options.Projections.Errors.SkipApplyErrors = false;
        options.Projections.Errors.SkipSerializationErrors = false;
        options.Projections.Errors.SkipUnknownEvents = false;
        options.Projections.RebuildErrors.SkipApplyErrors = false;
        options.Projections.RebuildErrors.SkipSerializationErrors = false;
        options.Projections.RebuildErrors.SkipUnknownEvents = false;
    }

    private static void NameEvents(StoreOptions options)
    {
        options.Events.MapEventType<NodeEvent.DevicesRegistered>("devices_registered");
        options.Events.MapEventType<NodeEvent.NodeRemoved>("node_removed");
        options.Events.MapEventType<NodeEvent.DeviceCordoned>("device_cordoned");
        options.Events.MapEventType<NodeEvent.DeviceUncordoned>("device_uncordoned");
        options.Events.MapEventType<NodeEvent.AllocationPlaced>("allocation_placed");
        options.Events.MapEventType<NodeEvent.AllocationAdopted>("allocation_adopted");
        options.Events.MapEventType<NodeEvent.AllocationBound>("allocation_bound");
        options.Events.MapEventType<NodeEvent.AllocationAttached>("allocation_attached");
        options.Events.MapEventType<NodeEvent.AllocationShrunk>("allocation_shrunk");
        options.Events.MapEventType<NodeEvent.AllocationReleased>("allocation_released");
        options.Events.MapEventType<NodeEvent.NodeCarriedForward>("node_carried_forward");
        options.Events.MapEventType<PodEvent.PlacementRefused>("placement_refused");
        options.Events.MapEventType<PodEvent.WorkloadWithdrawn>("workload_withdrawn");
        options.Events.MapEventType<PodEvent.PreemptionPlanned>("preemption_planned");
        options.Events.MapEventType<QuotaEvent.QuotaChanged>("quota_changed");
        options.Events.MapEventType<PolicyEvent.PolicyChanged>("policy_changed");
        options.Events.MapEventType<PolicyEvent.WorkloadMixLearned>("workload_mix_learned");
    }
}
