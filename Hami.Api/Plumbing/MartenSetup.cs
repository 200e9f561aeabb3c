using JasperFx;
using JasperFx.Events;
using JasperFx.Events.Daemon;
using Hami.Api.Reading;
using JasperFx.Events.Projections;
using Marten;
using Weasel.Core;

namespace Hami.Api.Plumbing;

/// <summary>The event store: names under which events are stored, and how strictly projections read them.</summary>
internal static class MartenSetup
{
    public const string Schema = "hami";

    public static void AddEventStore(this IServiceCollection services, string connectionString)
    {
        services.AddMarten(options => Configure(options, connectionString)).UseLightweightSessions();
        services.AddSingleton<FollowedLog>().AddSingleton<ILogFollower>(s => s.GetRequiredService<FollowedLog>());
        services.AddHostedService(s => ActivatorUtilities.CreateInstance<ProjectionHost>(s, connectionString, () => DocumentStore.For(options => Configure(options, connectionString))));
    }

    /// <summary>How the event store is used.</summary>
    /// <param name="events">The events of the log; null for those of this program.</param>
    internal static void Configure(StoreOptions options, string connectionString, EventTypes? events = null)
    {
        options.Connection(connectionString);
        options.DatabaseSchemaName = Schema;
        options.AutoCreateSchemaObjects = AutoCreate.All;
        options.UseSystemTextJsonForSerialization(EnumStorage.AsString, Casing.CamelCase, json => json.IgnoreReadOnlyProperties = true);

        options.Events.StreamIdentity = StreamIdentity.AsString;
        // Events are appended by LogAppend. Should Marten ever append one, this mode, despite its name, keeps the time that was set; plain Quick takes the database's.
        options.Events.AppendMode = EventAppendMode.QuickWithServerTimestamps;
        options.Events.MetadataConfig.HeadersEnabled = true;
        // It would drop what it does not know.
        options.Events.IgnoreIndex(JournalTables.AllocationIndex);
        (events ?? EventTypes.Today).Name(options);

        // A read model that skips what it cannot read is wrong without saying so.
        // Who runs them is decided by Leadership.
        options.Projections.AsyncMode = DaemonMode.Solo;
        options.Projections.Add(new ReadModelsProjection(), ProjectionLifecycle.Async, ReadModelsProjection.Name, daemon => daemon.BatchSize = 2000);
        options.Projections.Errors.SkipApplyErrors = false;
        options.Projections.Errors.SkipSerializationErrors = false;
        options.Projections.Errors.SkipUnknownEvents = false;
        options.Projections.RebuildErrors.SkipApplyErrors = false;
        options.Projections.RebuildErrors.SkipSerializationErrors = false;
        options.Projections.RebuildErrors.SkipUnknownEvents = false;
    }
}
