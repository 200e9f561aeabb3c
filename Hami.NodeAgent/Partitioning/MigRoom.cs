using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Puts this room's parts together.</summary>
internal static class MigRoom
{
    public static IServiceCollection AddMigInstances(this IServiceCollection services, AgentOptions options) => services
        .AddSingleton<IMigCards, NvmlMigCards>()
        .AddSingleton<IMigBook>(rooms => new MigBook(Path.Combine(options.VgpuDir, "mig.json"), MigBook.BootId(), rooms.GetRequiredService<TimeProvider>(), rooms.GetRequiredService<ILogger<MigBook>>()))
        .AddSingleton<Partitioner>()
        .AddSingleton<MigRecords>()
        .AddHosted<MigInstances>()
        .AddHosted<StaticMigDevices>()
        .AddSingleton<MigHandedDevices>()
        .AddSingleton<MigHanding>()
        .AddHosted<MigPlugins>();
}
