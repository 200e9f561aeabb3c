using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Identifying;
using Hami.NodeAgent.Installing;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Hami.NodeAgent.Registering.Health;
using Hami.NodeAgent.Releasing;

namespace Hami.NodeAgent;

/// <summary>Puts the rooms together.</summary>
internal static class AgentHost
{
    public static IHost Build(AgentOptions options, ImmutableArray<Card> cards, ApiServerClient api, Action<ILoggingBuilder> logging)
    {
        var files = new SettingsFiles(options);
        var builder = Host.CreateEmptyApplicationBuilder(new());
        logging(builder.Logging);
        builder.Services
            .AddSingleton(options)
            .AddSingleton(api)
            .AddSingleton(TimeProvider.System)
            .AddSingleton(rooms => ActivatorUtilities.CreateInstance<NvmlSession>(rooms, options.NvmlLibraries))
            .AddSingleton<NodeReadings>()
            .AddSingleton<IHostFiles>(new HostFiles(options.Handing.TakesRoom))
            .AddSingleton<ContainerDirectories>()
            .AddSingleton(DeviceFolder.Of(options.Handing))
            .AddSingleton<PluginStreams>()
            .AddSingleton<KubeletRestarts>()
            .AddSingleton<PluginFolder>();
        builder.Services
            .AddHosted<PodsOnNode>()
            .AddSingleton(files)
            .AddSingleton(new SettingsInForce(files.Read()))
            .AddHosted<SettingsWatch>()
            .AddSingleton(new CardInventory(cards))
            .AddSingleton<HealthInbox>()
            .AddSingleton<LastXids>()
            .AddSingleton<NodeComplaints>()
            .AddSingleton<NodeLinks>()
            .AddHosted<DeviceFileWatch>()
            .AddHosted<CardWatch>()
            .AddHosted<XidWatch>();
        builder.Services
            .AddSingleton<HandedOut>()
            .AddHosted<SignatureCheck>()
            .AddSingleton<PodComplaints>()
            .AddSingleton<PodsWithShares>()
            .AddSingleton<IPodResources, PodResources>()
            .AddSingleton<Checkpoint>()
            .AddHosted<PhaseWriter>()
            .AddHosted<PhaseRecovery>()
            .AddHosted<CdiDevices>()
            .AddMigInstances(options)
            .AddSingleton<Allocation>()
            .AddSingleton<StartCheck>()
            .AddSingleton<Func<CancellationToken, DevicePluginEndpoint>>(rooms => closing =>
                ActivatorUtilities.CreateInstance<DevicePluginEndpoint>(rooms, closing));
        builder.Services
            .AddHosted<KubeletRegistration>()
            .AddHosted<NodeRegistration>()
            .AddHosted<HostPids>()
            .AddSingleton<KeptMounts>(rooms => () => rooms.GetRequiredService<Checkpoint>().Read()?.SelectMany(e => e.HostPaths).ToHashSet(StringComparer.Ordinal))
            .AddHosted<OldLibraries>()
            .AddObserving(options)
            .AddHosted<DirectorySweep>()
            .AddHosted<TelemetrySender>()
            .AddHosted<HealthEndpoint>();

        var host = builder.Build();
        Remember(host.Services);
        return host;
    }

    // What is remembered of answers ends with the pod, or with the kubelet that got them.
    private static void Remember(IServiceProvider rooms)
    {
        var handedOut = rooms.GetRequiredService<HandedOut>();
        var phases = rooms.GetRequiredService<PhaseWriter>();
        var checkpoint = rooms.GetRequiredService<Checkpoint>();
        var signatures = rooms.GetRequiredService<SignatureCheck>();
        rooms.GetRequiredService<PodsOnNode>().Gone += uid =>
        {
            handedOut.Forget(uid);
            phases.Forget(uid);
            signatures.Forget(uid);
        };
        rooms.GetRequiredService<KubeletRestarts>().Restarted += () =>
        {
            if (checkpoint.Read() is { } confirmed)
                handedOut.KeepOnly(confirmed);
        };
    }

    public static IServiceCollection AddHosted<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(this IServiceCollection services)
        where T : class, IHostedService =>
        services.AddSingleton<T>().AddHostedService(rooms => rooms.GetRequiredService<T>());
}
