using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Observing;

/// <summary>Puts the room together.</summary>
internal static class ObservingRoom
{
    public static IServiceCollection AddObserving(this IServiceCollection services, AgentOptions options)
    {
        services
            .AddSingleton<WatchedContainers>()
            .AddSingleton<RegionFiles>()
            .AddSingleton<DriverLook>()
            .AddSingleton(new ProcessFiles(options.Observing.ProcRoot))
            .AddHosted<ExcessEnforcement>()
            .AddHosted<Sampling>()
            .AddHosted<PriorityFeedback>()
            .AddHosted<MetricsEndpoint>();
        return services;
    }
}
