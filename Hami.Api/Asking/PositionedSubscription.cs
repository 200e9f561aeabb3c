using GraphQL;
using GraphQL.Execution;
using ExecutionContext = GraphQL.Execution.ExecutionContext;

namespace Hami.Api.Asking;

/// <summary>A change that stands at a position in the log.</summary>
public interface IPositioned
{
    /// <summary>Position in the log after which a subscription goes on that has seen this; null while there is more at the same position.</summary>
    long? ResumeAfter();
}

/// <summary>Says with each change where in the log it stands, whatever fields are asked for.</summary>
internal sealed class PositionedSubscription : SubscriptionExecutionStrategy
{
    public const string Position = "position";

    protected override async ValueTask<ExecutionResult> ProcessDataAsync(ExecutionContext context, ExecutionNode node, object? value)
    {
        var result = await base.ProcessDataAsync(context, node, value);
        if ((value as IPositioned)?.ResumeAfter() is { } position)
            result.Extensions = new Dictionary<string, object?>(StringComparer.Ordinal) { [Position] = position };
        return result;
    }
}
