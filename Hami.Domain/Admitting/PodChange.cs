namespace Hami.Domain.Admitting;

/// <summary>One thing that admission changes in a pod. Containers are named by their position among all, init containers first.</summary>
public abstract record PodChange
{
    public sealed record SchedulerName(string Name) : PodChange;

    public sealed record RuntimeClass(string Name) : PodChange;

    /// <summary>A limit the container did not have.</summary>
    public sealed record Limit(int Container, string Resource, long Value) : PodChange;

    /// <summary>A variable with this value, instead of any the container has under its name.</summary>
    public sealed record Variable(int Container, string Name, string Value) : PodChange;

    public sealed record RemovedAnnotation(string Key) : PodChange;

    public sealed record RemovedLabel(string Key) : PodChange;

    private PodChange() { }
}
